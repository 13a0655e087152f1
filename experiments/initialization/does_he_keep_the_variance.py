"""Does He's initialisation keep the variance of ReLU layers, and does Xavier's fail?

The lecture (004:399-416): half the units are active, so "divide Xavier by 2" and get
4 / (N_in + N_out), which is Xavier *times* 2. Ten layers of 500 ReLU units: He, Xavier, and the
words taken literally. The law: each layer multiplies the mean square by N sigma^2 / 2, at any width
in the mean over draws.
The rules of `judge` were written after a first look at the numbers of layer 10.

Command: python -m experiments --only does_he_keep_the_variance      (CPU, about 6 s)
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.engine import interval
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization._ten_layers import Config

FIGURES = ("F-045", "F-046")
CLAIMS = ("C-097", "C-098")
ERRATA = ("E-07",)

SMOKE, FULL = ten_layers.SMOKE, ten_layers.FULL
HE, XAVIER, HALVED = NAMES = ("He, ReLU", "Xavier, ReLU", "Xavier / 2, ReLU")
FACTOR = np.log10(2)  # the rms keeps within a factor of 2 over nine layers


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for the three."""
    return ten_layers.run(NAMES, config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-097 if Xavier's rms falls to under a tenth; C-098 if the mean share of zeros is within 0.05
    of a half in every layer and He's rms keeps within a factor of 2 (the whole interval of the
    mean log); E-07 if the literal one falls below Xavier's in every draw."""
    change = {name: ten_layers.at_depth(results, name, "rms") for name in NAMES}
    zeros = results["arms"][HE]["zero"].mean(axis=0)
    mean, low, high = interval(change[HE])
    deep = {name: results["arms"][name]["rms"][:, -1].mean() for name in NAMES}
    kept = (
        f"log10 of He's rms at layer 10 over layer 1: {mean:.3f} [{low:.3f}, {high:.3f}], "
        f"{len(change[HE])} draws"
    )
    shares = f"share of zeros by layer {zeros.min():.3f} to {zeros.max():.3f}"
    return [
        paired(
            "C-097", change[XAVIER] + 1, "log10 of Xavier's rms at layer 10 over layer 1, plus 1",
            claimed="negative",
        ),
        combine(
            "C-098",
            [
                exact("C-098", np.abs(zeros - 0.5).max() < 0.05, shares),
                exact("C-098", -FACTOR < low and high < FACTOR, kept),
            ],
        ),
        exact(
            "E-07",
            (change[HALVED] < change[XAVIER]).all() and -FACTOR < low and high < FACTOR,
            f"rms at layer 10: {deep[HE]:.3g} for twice Xavier's variance, {deep[XAVIER]:.3g} for "
            f"Xavier's, {deep[HALVED]:.3g} for half of it",
        ),
    ]  # fmt: skip


def draw(results: dict[str, Any]) -> Figure:
    """Histograms of the three; rms, zeros and gradients by layer."""
    fig = ten_layers.draw_histograms(
        results,
        NAMES,
        {
            "rms": ("rms of the activations", "log"),
            "zero": ("share of zeros", "linear"),
            "gradient": ("gradient rms / layer 10's", "log"),
        },
    )
    fig.axes[-2].set_title("the same draws have the same signs at any scale", fontsize=8)
    return fig
