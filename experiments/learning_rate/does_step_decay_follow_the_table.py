"""Does step decay give the rates of the lecture's table?

The comment in the lecture's code (001:49-53): 0.05 for epochs under 30, 0.005 under 60, 0.0005
under 90. Its loop calls `scheduler.step()` before it trains, the order of PyTorch before 1.1; on
later versions that order makes each cut one epoch early.

Command: python -m experiments --only does_step_decay_follow_the_table      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    exactly,
    figure,
    tolerance,
)
from jaxtricks import schedules

FIGURES = ("F-006",)
CLAIMS = ("C-050",)
PLANS = {
    "C-050": Plan(
        effects={"relative distance": 1e-6},
        gates=("other call order",),
        settings={"first rate": 0.05, "step size": 30, "factor": 0.1},
    )
}

# The comment in the lecture's code: the rate, and the epochs that have it.
TABLE = ((0.05, 0, 30), (0.005, 30, 60), (0.0005, 60, 90))


@dataclasses.dataclass(frozen=True)
class Config:
    """`epochs`: of the lecture's loop."""

    epochs: int = 100


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """The rate with which each epoch trains, in the two orders of the calls."""
    rate = schedules.step_decay(0.05, 30, factor=0.1)
    epochs = jnp.arange(config.epochs)
    train_first, step_first = jax.vmap(rate)(epochs), jax.vmap(rate)(epochs + 1)
    return {
        "epochs": epochs,
        "train_first": train_first,
        "step_first": step_first,
        "cuts_train_first": jnp.flatnonzero(jnp.diff(train_first)) + 1,
        "cuts_step_first": jnp.flatnonzero(jnp.diff(step_first)) + 1,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if every epoch of the table has its rate, to float32's accuracy."""
    rates = results["train_first"]
    points = [
        exactly(value / rate - 1) for rate, first, last in TABLE for value in rates[first:last]
    ]
    part = tolerance(
        "relative distance of the rate from the table's",
        points,
        within=PLANS["C-050"].effects["relative distance"],
        panel="a",
    )
    cuts = [int(cut) for cut in results["cuts_step_first"]]
    gate = Gate(
        "other call order",
        cuts[0] == 29,
        f"stepping before training (PyTorch since 1.1) cuts at {', '.join(map(str, cuts))}",
    )
    scope = "StepLR's rule with step size 30 and factor 0.1 from 0.05, epochs 0 to 89, float32"
    return [all_of("C-050", [part], gates=[gate], scope=scope)]


def draw(results: dict[str, Any]) -> Figure:
    """The staircase, and the one of the other order, its cuts enlarged."""
    fig, (whole, close) = figure(1, 2, width=5.2, height=4.0, sharey=True)
    for axes in (whole, close):
        for key, colour, look, label in (
            ("train_first", RIGHT, "-", "train, then step"),
            ("step_first", LITERAL, "--", "step, then train (PyTorch since 1.1)"),
        ):
            axes.step(
                results["epochs"], results[key], look, where="post", color=colour, label=label
            )
        axes.set(xlabel="epoch", yscale="log")
    for cut in results["cuts_train_first"]:
        whole.axvline(cut, 0, 0.8, color="grey", lw=0.6, ls=":")  # below the legend
    whole.set(ylabel="learning rate", xticks=(0, 30, 60, 90), ylim=(2e-5, 0.6))
    ticks = (0.00005, 0.0005, 0.005, 0.05)
    whole.set_yticks(ticks, ["0.00005", "0.0005", "0.005", "0.05"])
    whole.minorticks_off()
    whole.set_title("StepLR(step_size=30, gamma=0.1)")
    whole.legend(loc="upper right")
    close.set(xlim=(25, 35), xticks=range(25, 36))
    close.set_title("the first cut: at 30, or at 29")
    return fig
