"""Which of the printed random search's draws are negative?

002:1009-1010 draws lr = 10*uniform(-5, -3) and reg = 10*uniform(-4, 4); the next slide
(002:1029-1030) has 10**uniform (E-11). Both lines run on the same uniform draws. Then five steps
of gradient descent on f = w^2 / 2 with each drawn rate, which multiply w by (1 - lr)^5: does the
loss fall? Our rules refuse a negative rate and a negative decay.

Command: python -m experiments --only which_random_search_draws_are_negative      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure
from jaxtricks.optimizers import add_l2, gradient_descent

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-11",)


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws`: pairs of a rate and a decay, the note takes 100; `steps`: of gradient descent."""

    draws: int = 10_000
    steps: int = 5


SMOKE = Config(draws=1000)
FULL = Config(draws=1_000_000)


def run(config: Config) -> dict[str, Any]:
    """The draws of both lines, and the losses they lead to."""
    keys = jax.random.split(jax.random.key(0))
    a = np.asarray(jax.random.uniform(keys[0], (config.draws,), minval=-5.0, maxval=-3.0))
    b = np.asarray(jax.random.uniform(keys[1], (config.draws,), minval=-4.0, maxval=4.0))
    results: dict[str, Any] = {"refused": [refused(gradient_descent, -40.0), refused(add_l2, -4.0)]}
    draws = {"printed": (10 * a, 10 * b), "right": (10.0**a, 10.0**b)}
    for name, (rate, decay) in draws.items():
        growth = np.abs(1 - rate) ** config.steps
        results[name] = {
            "rate_range": [rate.min(), rate.max()],
            "decay_range": [decay.min(), decay.max()],
            "rate_negative": np.mean(rate < 0),
            "decay_negative": np.mean(decay < 0),
            "rises": np.mean(growth > 1),
            "growth": np.median(growth),
            "shown": np.stack([rate, decay], axis=1)[:300],
        }
    return results


def refused(factory: Any, value: float) -> bool:
    """Whether the factory raises a ValueError at `value`."""
    try:
        factory(jnp.asarray(value))
    except ValueError:
        return True
    return False


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if each printed rate and about half the decays are negative, and no right ones."""
    printed, right = results["printed"], results["right"]
    holds = (
        printed["rate_negative"] == 1
        and abs(printed["decay_negative"] - 0.5) < 0.05
        and right["rate_negative"] == right["decay_negative"] == 0
        and printed["rises"] == 1
        and right["rises"] == 0
        and all(results["refused"])
    )
    low, high = printed["rate_range"]
    return [
        demonstration(
            "E-11",
            holds,
            f"printed: rates {low:.0f} to {high:.0f}, 100 % negative, decays "
            f"{100 * printed['decay_negative']:.0f} % negative; w^2 / 2 rises with "
            f"{100 * printed['rises']:.0f} % of the rates, w grows {printed['growth']:.1e} times "
            f"in 5 steps (median); with 10**: none negative, "
            f"rises with {100 * right['rises']:.0f} %",
            panel="c",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The drawn pairs, and the share of negative and rising ones."""
    fig, (printed, right, shares) = figure(1, 3, height=4.4)
    show_pairs(printed, results["printed"]["shown"], LITERAL, "printed: 10*uniform")
    show_pairs(right, results["right"]["shown"], RIGHT, "right: 10**uniform")
    right.set(xscale="log", yscale="log")
    printed.axvline(0, color="black", linewidth=1)
    printed.axhline(0, color="black", linewidth=1)
    printed.axvspan(-55, 0, color="grey", alpha=0.12, linewidth=0)
    printed.text(-1, -43, "negative rates", ha="right", fontsize=10.5, color="dimgrey")
    printed.set(xlim=(-55, 5), ylim=(-46, 46))
    keys = ("rate_negative", "decay_negative", "rises")
    names = ("rate < 0", "decay < 0", "loss rises")
    for name, colour, shift in (("printed", LITERAL, -0.2), ("right", RIGHT, 0.2)):
        values = [100 * results[name][key] for key in keys]
        bars = shares.bar(np.arange(3) + shift, values, 0.38, color=colour, label=name)
        shares.bar_label(bars, fmt="%.0f")
    shares.set_xticks(range(3), names)
    shares.set(ylabel="draws / %", ylim=(0, 125), title="what goes wrong")
    shares.set_yticks(range(0, 101, 20))
    shares.legend(loc="upper center", ncols=2)
    return fig


def show_pairs(axes: Axes, pairs: np.ndarray, colour: str, title: str) -> None:
    axes.plot(pairs[:, 0], pairs[:, 1], ".", color=colour, ms=4, alpha=0.6)
    axes.set(xlabel="learning rate", ylabel="weight decay", title=title)
