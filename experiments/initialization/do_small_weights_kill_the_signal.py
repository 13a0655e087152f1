"""Do ten layers of N(0, 0.01) weights send every output to 0?

The lecture's first histograms (004:323-330): tanh, "N(0, 0.01)", outputs close to 0 in deep layers.
The notation gives a variance, and 004:548 a standard deviation of 0.01. Both, at width 500, with
the law of infinite width: a mean square q becomes E[tanh(sqrt(N sigma^2 q) z)^2], which for small
signals is N sigma^2 q, 0.05 for the deviation and 5 for the variance.
Below, what batch norm changes: it divides by whatever deviation the weights leave.
The rules of `judge` were written after a first look at the numbers of layer 10.

Command: python -m experiments --only do_small_weights_kill_the_signal      (CPU, about 5 s)
"""

from typing import Any

from matplotlib.figure import Figure

from experiments.engine.before import Verdict, exact, paired
from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization._ten_layers import Config

FIGURES = ("F-042",)
CLAIMS = ("C-091",)
ERRATA = ("E-09",)

SMOKE, FULL = ten_layers.SMOKE, ten_layers.FULL
DEVIATION, VARIANCE = READINGS = ("N(0, 0.01), tanh", "variance 0.01, tanh")
NAMES = (*READINGS, "N(0, 0.01), tanh, batch norm")


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for both readings, and for the first with batch norm."""
    return ten_layers.run(NAMES, config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-091 if the deviation falls by more than a hundred from layer 1 to 10 for the pictured
    reading; E-09 if it does so for that one in every draw, and for the other one in none."""
    falls = {name: ten_layers.at_depth(results, name, "std") + 2 for name in READINGS}
    deep = {name: results["arms"][name]["std"][:, -1].mean() for name in READINGS}
    text = f"std at layer 10: {deep[DEVIATION]:.3g} for a deviation of 0.01"
    return [
        paired(
            "C-091", falls[DEVIATION], f"{text}; log10 of layer 10 over layer 1, plus 2",
            claimed="negative",
        ),
        exact(
            "E-09",
            (falls[DEVIATION] < 0).all() and (falls[VARIANCE] > 0).all(),
            f"{text}, {deep[VARIANCE]:.3g} for a variance of 0.01",
        ),
    ]  # fmt: skip


def draw(results: dict[str, Any]) -> Figure:
    """Histograms, deviations and gradients by layer."""
    return ten_layers.draw_histograms(
        results,
        NAMES,
    )
