"""Does Xavier's initialisation keep a good Gaussian, for tanh and for the sigmoid?

The lecture (004:397-406) says so of both: near 0 they are like the identity, "the gradient is close
to 1". The slope of the sigmoid at 0 is 1/4 and its mean 1/2, so a layer passes on a sixteenth of
the variance. Ten layers of 500 units. "Across examples" is the deviation of each unit: what is left
of the input, without the units' constant means.
The rules of `judge` were written after a first look at the numbers of layer 10.

Command: python -m experiments --only does_xavier_keep_the_distribution      (CPU, about 5 s)
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.engine.before import Verdict, combine, exact, paired
from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization._ten_layers import Config

FIGURES = ("F-044", "F-047")
CLAIMS = ("C-096",)
ERRATA = ("E-55",)

SMOKE, FULL = ten_layers.SMOKE, ten_layers.FULL
TANH, SIGMOID = NAMES = ("Xavier, tanh", "Xavier, sigmoid")


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for both activations."""
    return ten_layers.run(NAMES, config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-096 if, for both, layer 10 varies across examples at least a tenth as much as layer 1 and
    its excess kurtosis is within 1 of a Gaussian's. E-55 if the sigmoid's falls below a thousandth
    in every draw and that of tanh in none."""
    change = {name: ten_layers.at_depth(results, name, "varies") for name in NAMES}
    parts = []
    for name in NAMES:
        kurtosis = np.abs(results["arms"][name]["kurtosis"][:, -1])
        parts += [
            paired(
                "C-096", change[name] + 1, claimed="positive",
                measured=f"{name}: log10 of what varies at layer 10 over layer 1, plus 1",
            ),
            paired("C-096", kurtosis - 1, "size of the kurtosis, minus 1", claimed="negative"),
        ]  # fmt: skip
    deep = {name: results["arms"][name]["varies"][:, [0, -1]].mean(axis=0) for name in NAMES}
    texts = [f"{name} {first:.3g} to {last:.3g}" for name, (first, last) in deep.items()]
    return [
        combine("C-096", parts),
        exact(
            "E-55",
            (change[SIGMOID] < -3).all() and (change[TANH] > -3).all(),
            f"deviation across examples from layer 1 to 10: {', '.join(texts)}",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Histograms of both; what varies, kurtosis and gradients by layer."""
    return ten_layers.draw_histograms(
        results,
        NAMES,
        {
            "varies": ("deviation across examples", "log"),
            "kurtosis": ("excess kurtosis", "linear"),
            "gradient": ("gradient rms / layer 10's", "log"),
        },
    )
