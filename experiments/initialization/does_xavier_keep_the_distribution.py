"""Does Xavier's initialisation keep a good Gaussian, for tanh and for the sigmoid?

The lecture (004:397-406) says so of both: near 0 they are like the identity, "the gradient is close
to 1". The slope of the sigmoid at 0 is 1/4 and its mean 1/2, so a layer passes on a sixteenth of
the variance. Ten layers of 500 units. "Across examples" is the deviation of each unit: what is left
of the input, without the units' constant means. Kept: for both, over a tenth of layer 1's deviation
across examples is left at layer 10, and the excess kurtosis of the activations there, 0 of a
Gaussian and -1.2 of a uniform distribution, is within 1 of 0. As a control, tanh after N(0, 1)
weights, with its two peaks at -1 and 1, must fail by its kurtosis.

Command: python -m experiments --only does_xavier_keep_the_distribution      (CPU, about 20 s)
"""

import dataclasses
from typing import Any

from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    equivalent,
    mean,
    over,
)
from experiments.initialization import _ten_layers as ten_layers

FIGURES = ("F-044", "F-047")
CLAIMS = ("C-096",)
ERRATA = ("E-55",)
PLANS = {
    "C-096": Plan(
        effects={"log10 of layer 10 over 1": -1.0, "kurtosis": 1.0},
        gates=("pos",),
        settings={"layers": 10, "kurtosis": "of all activations of layer 10"},
    )
}

TANH, SIGMOID = NAMES = ("Xavier, tanh", "Xavier, sigmoid")
CONTROL = "N(0, 1), tanh"


@dataclasses.dataclass(frozen=True)
class Config(ten_layers.Config):
    """As for all starts, from a seed of its own."""

    seed: int = 15_096


SMOKE = Config(width=20, examples=16, draws=2)
FULL = Config(examples=1000, draws=50)


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for both activations and the control."""
    return ten_layers.run((*NAMES, CONTROL), config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-096 if both keep spread and kurtosis; E-55 if the sigmoid loses what tanh keeps."""
    effects, arms = PLANS["C-096"].effects, results["arms"]
    change = {name: ten_layers.at_depth(results, name, "varies") for name in NAMES}
    parts = []
    for name in NAMES:
        parts += [
            over(
                f"log10 of the deviation across examples at layer 10 over layer 1, {name}",
                change[name],
                effects["log10 of layer 10 over 1"],
                panel="b",
            ),
            equivalent(
                f"excess kurtosis at layer 10, {name}",
                arms[name]["kurtosis"][:, -1],
                within=effects["kurtosis"],
                panel="c",
            ),
        ]
    peaks = mean(arms[CONTROL]["kurtosis"][:, -1])
    gate = Gate(
        "pos",
        peaks.high < -effects["kurtosis"],
        f"after N(0, 1) weights it is {peaks.value:.3f} [{peaks.low:.3f}, {peaks.high:.3f}], which "
        "fails",
    )
    deep = {name: arms[name]["varies"][:, [0, -1]].mean(axis=0) for name in NAMES}
    texts = [f"{name} {first:.3g} to {last:.3g}" for name, (first, last) in deep.items()]
    return [
        all_of(
            "C-096",
            parts,
            gates=[gate],
            scope=ten_layers.scope(results, "tanh or sigmoid"),
            beside=[
                f"{name}: rms of the gradient at layer 1 over layer 10, mean log10 "
                f"{-ten_layers.at_depth(results, name, 'gradient').mean():.3f}"
                for name in NAMES
            ],
        ),
        demonstration(
            "E-55",
            bool((change[SIGMOID] < -3).all() and (change[TANH] > -1).all()),
            f"deviation across examples from layer 1 to 10: {', '.join(texts)}",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Histograms; what varies, kurtosis and gradients by layer."""
    fig = ten_layers.draw_histograms(
        results,
        (*NAMES, CONTROL),
        {
            "varies": ("deviation across examples", "log"),
            "kurtosis": ("excess kurtosis", "linear"),
            "gradient": ten_layers.QUANTITIES["gradient"],
        },
    )
    fig.axes[-2].axhspan(-1, 1, color="0.9", zorder=0)
    fig.axes[-2].set_title("grey: within 1 of a Gaussian's")
    return fig
