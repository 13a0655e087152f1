"""Do ten layers of N(0, 0.01) weights send every output to 0?

The lecture's first histograms (004:323-330): tanh, "N(0, 0.01)", outputs close to 0 in deep layers.
The notation gives a variance, and 004:548 a standard deviation of 0.01. Both, at width 500, with
the law of infinite width: a mean square q becomes E[tanh(sqrt(N sigma^2 q) z)^2], which for small
signals is N sigma^2 q, 0.05 for the deviation and 5 for the variance. Judged is the deviation: less
than a hundredth of what layer 1 gives out must be left at layer 10. As a control Xavier's start
must keep more than a tenth. Besides, batch norm divides by whatever deviation the weights leave.

Command: python -m experiments --only do_small_weights_kill_the_signal      (CPU, about 20 s)
"""

import dataclasses
from typing import Any

from matplotlib.figure import Figure

from experiments.engine import Gate, Plan, Verdict, all_of, demonstration, mean, under
from experiments.initialization import _ten_layers as ten_layers

FIGURES = ("F-042",)
CLAIMS = ("C-091",)
ERRATA = ("E-09",)
TIER = 2
PLANS = {
    "C-091": Plan(
        effects={"log10 of layer 10 over 1": -2.0, "Xavier's": -1.0},
        gates=("pos",),
        settings={"layers": 10, "activation": "tanh", "standard deviation": 0.01},
    )
}

DEVIATION, VARIANCE = READINGS = ("N(0, 0.01), tanh", "variance 0.01, tanh")
XAVIER = "Xavier, tanh"
NAMES = (*READINGS, "N(0, 0.01), tanh, batch norm", XAVIER)


@dataclasses.dataclass(frozen=True)
class Config(ten_layers.Config):
    """As for all starts, from a seed of its own."""

    seed: int = 15_091


SMOKE = Config(width=20, examples=16, draws=2)
FULL = Config(examples=1000, draws=50)


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for both readings, batch norm, and the control."""
    return ten_layers.run(NAMES, config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-091 if under a hundredth of the deviation is left; E-09 if the printed reading keeps it."""
    effects = PLANS["C-091"].effects
    change = {name: ten_layers.at_depth(results, name, "std") for name in (*READINGS, XAVIER)}
    deep = {name: results["arms"][name]["std"][:, -1].mean() for name in READINGS}
    kept = mean(change[XAVIER])
    part = under(
        "log10 of the activations' standard deviation at layer 10 over layer 1, weights of "
        "deviation 0.01",
        change[DEVIATION],
        effects["log10 of layer 10 over 1"],
        panel="b",
    )
    gate = Gate(
        "pos",
        kept.low > effects["Xavier's"],
        f"the same of Xavier's start is {kept.value:.3f} [{kept.low:.3f}, {kept.high:.3f}]",
    )
    return [
        all_of(
            "C-091",
            [part],
            gates=[gate],
            scope=ten_layers.scope(results, "tanh"),
            beside=[
                f"weights of variance 0.01: the same is {change[VARIANCE].mean():.3f}, the "
                f"deviation at layer 10 is {deep[VARIANCE]:.3g} (E-09)"
            ],
        ),
        demonstration(
            "E-09",
            bool((change[DEVIATION] < -2).all() and (change[VARIANCE] > -1).all()),
            f"standard deviation at layer 10: {deep[DEVIATION]:.3g} for weights of deviation 0.01, "
            f"as pictured, {deep[VARIANCE]:.3g} for variance 0.01, as printed",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Histograms, deviations and gradients by layer."""
    return ten_layers.draw_histograms(
        results,
        NAMES,
        {
            "std": ("standard deviation of the activations", "log"),
            "gradient": ten_layers.QUANTITIES["gradient"],
        },
    )
