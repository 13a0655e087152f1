"""The colours can be told apart by everyone: measured on the colours, not on our word."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, data_name, ordered
from experiments.engine._picture import _svg
from experiments.engine._style import METHODS, RC, SCALES

# Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation of color
# vision deficiency, severity 1; applied to linear RGB, as the paper has it.
SIGHT = {
    "normal": np.eye(3),
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                    [-0.011820, 0.042940, 0.968881]],
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                  [-0.003882, -0.048116, 1.051998]],
}  # fmt: skip
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
          [0.0193339, 0.1191920, 0.9503041]]  # fmt: skip
PALETTES = {
    "methods": [look.color for look in METHODS.values()],
    "colours": COLOURS,
    "an erratum": (LITERAL, RIGHT),
}


def linear(colour):
    """sRGB to linear RGB (IEC 61966-2-1)."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(colour, sight):
    """CIE 1976 L*a*b* under D65, as someone of that sight sees it."""
    seen = np.clip(np.array(SIGHT[sight]) @ linear(colour), 0, 1)
    t = np.array(TO_XYZ) @ seen / (np.array(TO_XYZ) @ np.ones(3))
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(colour):
    """On white (WCAG 2)."""
    return 1.05 / (np.dot(TO_XYZ[1], linear(colour)) + 0.05)


def test_known_colours_have_known_numbers():
    """Red in L*a*b* (53.24, 80.09, 67.20) and its contrast of 4.00 on white."""
    np.testing.assert_allclose(lab("#ff0000", "normal"), [53.24, 80.09, 67.20], atol=0.02)
    assert contrast("#ff0000") == pytest.approx(3.998, abs=0.001)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", PALETTES)
def test_any_two_colours_are_20_apart(palette, sight):
    for one, other in itertools.combinations(PALETTES[palette], 2):
        apart = np.linalg.norm(lab(one, sight) - lab(other, sight))
        assert apart >= 20, (one, other, apart)


@pytest.mark.parametrize("palette", PALETTES)
def test_every_colour_stands_out_from_white(palette):
    assert min(map(contrast, PALETTES[palette])) >= 3


def test_no_two_methods_share_a_line_or_a_marker():
    looks = METHODS.values()
    assert len({look.marker for look in looks}) == len(METHODS)
    for one, other in itertools.combinations(looks, 2):
        assert (one.linestyle, one.marker) != (other.linestyle, other.marker)


@pytest.mark.parametrize("scale", SCALES)
def test_ordered_values_get_lighter_and_stay_visible(scale):
    """And end in one colour beyond the scale."""
    values = [0, 0.5, 0.9, 0.99, 0.999] if scale == "decay" else [1e-5, 1e-2, 1, 8, 64, 1e9]
    values = [v for v in values if v >= 1 or scale in ("decay", "learning rate")]
    lightness = [lab(ordered(scale, value), "normal")[0] for value in values]
    assert (np.diff(lightness) >= 0).all() and lightness[-1] - lightness[0] > 20
    assert min(contrast(ordered(scale, value)) for value in values) >= 3


def test_data_sets_are_spelled_one_way():
    assert [data_name(name) for name in ("mnist", "cifar10", "digits", "analytic")] == [
        "MNIST", "CIFAR-10", "digits", "analytic",
    ]  # fmt: skip


def test_an_svg_does_not_depend_on_the_last_digits_of_its_layout():
    """They differ from process to process, and matplotlib makes names of them."""

    def drawn(shift):
        figure = Figure(layout="none")
        axes = figure.add_axes((0.1 + shift, 0.1, 0.8, 0.8))
        axes.plot([0.0, 1.0], [1.0, 0.0], "o-")
        return _svg(figure)

    with plt.rc_context(RC):
        assert drawn(0.0) == drawn(1e-15)
