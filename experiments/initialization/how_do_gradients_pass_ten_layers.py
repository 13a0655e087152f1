"""How do signals and gradients pass ten layers, for every start of the lecture?

All histograms of 002:60 and 004:323-416 as lines: the rms of the activations, and what a unit
gradient at the output becomes on its way back. Dots are the law of infinite width: back from layer
l + 1 to l the mean square grows by N sigma^2 E[phi'^2].

Command: python -m experiments --only how_do_gradients_pass_ten_layers      (CPU, about 25 s)
Found: All means are within 6 % of the law. Back to layer 1 the gradient is multiplied by 1.4e-6
(N(0, 0.01), tanh), 2.2e-6 (Xavier, sigmoid), 0.002 (half of Xavier's, ReLU), 0.04 (Xavier, ReLU),
0.4 (Xavier, tanh), 1 (He, ReLU), 5.6 (variance 0.01, tanh) and 7.5e4 (N(0, 1), tanh);
with batch norm by 2.2 from N(0, 0.01) and from N(0, 1).
"""

from typing import Any

from matplotlib.figure import Figure

from experiments.engine import Verdict, figure
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
