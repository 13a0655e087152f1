"""How do signals and gradients pass ten layers, for every start of the lecture?

All histograms of 002:60 and 004:323-416 as lines: the rms of the activations, and what a unit
gradient at the output becomes on its way back. Dots are the law of infinite width: back from layer
l + 1 to l the mean square grows by N sigma^2 E[phi'^2].

Command: python -m experiments --only how_do_gradients_pass_ten_layers      (CPU, about 25 s)
"""

from typing import Any

from matplotlib.figure import Figure

from experiments.engine import figure
from experiments.engine.before import Verdict
from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization._ten_layers import ARMS, Config

FIGURES = ("F-048",)

SMOKE, FULL = ten_layers.SMOKE, ten_layers.FULL


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for all arms."""
    return ten_layers.run(tuple(ARMS), config)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Owns no claim: the scripts of the single starts judge."""
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The signal forward, the gradient back."""
    fig, (forward, back) = figure(1, 2, width=5.2, height=4.2)
    for axes, key in ((forward, "rms"), (back, "gradient")):
        ten_layers.lines(axes, results["arms"], tuple(ARMS), key)
        axes.set_yscale("log")
    forward.set(ylabel="rms of the activations", title="forward", ylim=(1e-7, 3))
    back.set(ylabel="gradient rms / layer 10's", title="backward: read from right to left")
    handles, labels = forward.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=4)
    fig.suptitle(
        f"{results['width']} units a layer, mean and 95 % of {results['draws']} draws; black dots: "
        "infinite width",
        fontsize=9,
    )
    return fig
