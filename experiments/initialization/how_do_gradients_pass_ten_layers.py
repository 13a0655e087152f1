"""How do signals and gradients pass ten layers, for every start of the lecture?

All histograms of 002:60 and 004:323-416 as lines: the rms of the activations, and what a unit
gradient at the output becomes on its way back. Dots are the law of infinite width: back from layer
l + 1 to l the mean square grows by N sigma^2 E[phi'^2].

Command: python -m experiments --only how_do_gradients_pass_ten_layers      (CPU, about 40 s)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import Verdict, figure
from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization._ten_layers import ARMS, Config

FIGURES = ("F-048",)
TIER = 2

SMOKE, FULL = ten_layers.SMOKE, ten_layers.FULL
GAP = 0.072  # between names, as a share of the panel's height


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for all arms."""
    return ten_layers.run(tuple(ARMS), config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Owns no claim: the scripts of the single starts judge."""
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The signal forward, the gradient back."""
    fig, (forward, back) = figure(1, 2, width=8.0, height=5.4)
    for axes, key in ((forward, "rms"), (back, "gradient")):
        ten_layers.lines(axes, results["arms"], tuple(ARMS), key)
        axes.set_yscale("log")
    forward.set(ylabel="rms of the activations", ylim=(1e-7, 3))
    forward.set_title("signal; at the right its rms at layer 10")
    back.set(ylabel="gradient's rms / layer 10's", xlim=(10.4, 0.6), ylim=(3e-7, 1e6))
    back.set_title("gradient, from layer 10 back; at the right its rms at layer 1")
    mark_ends(forward, results["arms"], "rms", -1)
    mark_ends(back, results["arms"], "gradient", 0)
    for axes in (forward, back):
        axes.set_xlabel(
            f"layer of {results['width']} units; mean and 95 % of {results['draws']} draws; "
            "dots: infinite width"
        )
    return fig


def mark_ends(axes: Axes, arms: Mapping[str, Any], key: str, layer: int) -> None:
    """The name of each line and its value at that layer, beside the panel and far enough apart."""
    ends = sorted((float(arm[key][:, layer].mean()), name) for name, arm in arms.items())
    to_panel = axes.transData + axes.transAxes.inverted()
    x = ten_layers.LAYERS[layer]
    heights = np.array([to_panel.transform((x, value))[1] for value, _ in ends])
    steps = GAP * np.arange(len(ends))
    places = steps + np.maximum.accumulate(heights - steps)
    places = np.minimum(places, 1.0 - steps[::-1])
    for (value, name), place in zip(ends, places, strict=True):
        axes.annotate(
            f"{name}: {value:.2g}",
            (x, value),
            (1.05, place),
            textcoords="axes fraction",
            va="center",
            fontsize=10.5,
            arrowprops={"arrowstyle": "-", "color": ARMS[name].color, "relpos": (0, 0.5)},
        )
