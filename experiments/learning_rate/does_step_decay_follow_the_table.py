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
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, figure
from experiments.engine.before import Verdict, exact
from jaxtricks import schedules

FIGURES = ("F-006",)
CLAIMS = ("C-050",)

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
    """Every epoch of the table has its rate, to float32's accuracy."""
    rates = results["train_first"]
    error = max(np.abs(rates[first:last] / rate - 1).max() for rate, first, last in TABLE)
    listed = ", ".join(f"{rates[first]:.4g} from epoch {first}" for _, first, _ in TABLE)
    return [
        exact(
            "C-050",
            error < 1e-6,
            f"{listed}; largest relative error over 90 epochs {error:.1e}; stepping before "
            f"training (PyTorch >= 1.1) cuts at {', '.join(map(str, results['cuts_step_first']))}",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The staircase, and the one of the other order, its cuts enlarged."""
    fig, (whole, close) = figure(1, 2, width=5.0, sharey=True)
    for axes in (whole, close):
        for key, colour, look, label in (
            ("train_first", RIGHT, "-", "train, then step (or PyTorch < 1.1 in the other order)"),
            ("step_first", LITERAL, "--", "step, then train on PyTorch >= 1.1"),
        ):
            axes.step(
                results["epochs"], results[key], look, where="post", color=colour, label=label
            )
        axes.set(xlabel="epoch", yscale="log")
    for cut in results["cuts_train_first"]:
        whole.axvline(cut, 0, 0.82, color="grey", lw=0.6, ls=":")  # below the legend
    whole.set(ylabel="learning rate", xticks=(0, 30, 60, 90), ylim=(2e-5, 0.3))
    whole.set_title("StepLR(step_size=30, gamma=0.1) from 0.05")
    whole.legend(loc="upper right")
    close.set(xlim=(25, 35), xticks=range(25, 36))
    close.set_title("the first cut: at 30, or at 29")
    return fig
