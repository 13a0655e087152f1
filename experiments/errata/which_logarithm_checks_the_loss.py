"""Which logarithm checks the first loss, and does the printed softmax survive large scores?

002:974 checks a classifier with all scores near 0 by L = log 3 = 0.477, which is log10; the loss
is the natural one, ln 3 = 1.099 (E-12). 002:969 writes the loss as -log(e^s / sum e^s), which as
code leaves float32 at scores of about 88 (E-28): Inf when the right class has the low score,
NaN when it has the high one. Right is logsumexp, inside optax's cross-entropy.

Command: python -m experiments --only which_logarithm_checks_the_loss      (CPU, about 1 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-12", "E-28")
NON_FINITE = ("printed_low", "printed_high")


@dataclasses.dataclass(frozen=True)
class Config:
    """`classes`: numbers C of classes; `gap`: largest difference of the two scores."""

    classes: tuple[int, ...] = (2, 3, 10, 100, 1000)
    gap: float = 120.0
    points: int = 121


SMOKE = Config()
FULL = Config()


def right_loss(scores: jax.Array, label: int) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(scores, jnp.asarray(label))


def first_losses(classes: tuple[int, ...]) -> jax.Array:
    """The loss of scores 0; a score of minus infinity takes a class away."""
    there = jnp.arange(max(classes))[None] < jnp.array(classes)[:, None]
    return jax.vmap(lambda scores: right_loss(scores, 0))(jnp.where(there, 0.0, -jnp.inf))


def printed_loss(scores: jax.Array, label: int) -> jax.Array:
    """002:969, in float32."""
    return -jnp.log(jnp.exp(scores[label]) / jnp.sum(jnp.exp(scores)))


def run(config: Config) -> dict[str, Any]:
    """First losses by number of classes, and both formulas by the gap of two scores."""
    return {
        "classes": config.classes,
        "natural": np.log(config.classes),
        "decimal": np.log10(config.classes),
        **measure(config),
    }


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, jax.Array]:
    """All losses, in one program."""
    gaps = jnp.linspace(0.0, config.gap, config.points, dtype=jnp.float32)
    scores = jnp.stack([jnp.zeros_like(gaps), gaps], axis=1)
    by_gap = {
        f"{name}_{where}": jax.vmap(lambda s, loss=loss, label=label: loss(s, label))(scores)
        for name, loss in (("printed", printed_loss), ("right", right_loss))
        for where, label in (("low", 0), ("high", 1))
    }
    return {"measured": first_losses(config.classes), "gaps": gaps, **by_gap}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-12: the measured loss is ln C (1e-5) and over twice log10 C. E-28: the printed formula is
    not finite at a gap of 100, ours is 100 (1e-5) and finite everywhere.
    """
    classes, measured = results["classes"], results["measured"]
    natural = np.allclose(measured, results["natural"], rtol=1e-5)
    ratio = measured / results["decimal"]
    three, ten = list(classes).index(3), list(classes).index(10)
    gaps = results["gaps"]
    low, high = results["printed_low"], results["printed_high"]
    hundred = np.argmin(np.abs(gaps - 100))
    finite = np.isfinite(results["right_low"]).all() and np.isfinite(results["right_high"]).all()
    stable = finite and abs(results["right_low"][hundred] - 100) < 1e-3
    first = gaps[np.argmax(~np.isfinite(low))]
    return [
        demonstration(
            "E-12",
            natural and np.all(ratio > 2),
            f"loss of {measured[three]:.4f} at 3 classes with scores 0, {measured[ten]:.3f} at 10; "
            f"the printed check says {results['decimal'][three]:.3f} and "
            f"{results['decimal'][ten]:.0f}: a factor of {ratio[ten]:.3f}",
            panel="a",
        ),
        demonstration(
            "E-28",
            stable and np.isposinf(low[hundred]) and np.isnan(high[hundred]),
            f"gap of 100 in float32: printed {low[hundred]:g} (right class low) and "
            f"{high[hundred]:g} (high), logsumexp {results['right_low'][hundred]:.1f} and "
            f"{abs(results['right_high'][hundred]):.1f}; not finite from a gap of {first:.0f} on",
            panel="b and c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The check by number of classes; the losses by gap."""
    fig, (check, low, high) = figure(1, 3, height=4.3)
    classes = results["classes"]
    check.semilogx(classes, results["natural"], color=RIGHT, label=r"right check, $\ln C$")
    check.plot(classes, results["decimal"], color=LITERAL, ls="--", label=r"printed, $\log_{10} C$")
    check.plot(classes, results["measured"], "ko", ms=5, label="measured, scores 0")
    check.set(xlabel="classes $C$", ylabel="first loss / nats", title="classes with equal scores")
    check.legend(loc="upper left")
    show_gap(low, results, "low")
    show_gap(high, results, "high")
    return fig


def show_gap(axes: Axes, results: dict[str, Any], where: str) -> None:
    gaps, printed = results["gaps"], results[f"printed_{where}"]
    axes.plot(gaps, results[f"right_{where}"], color=RIGHT, label="logsumexp")
    axes.plot(gaps, printed, color=LITERAL, linestyle="--", label="as printed")
    bad = gaps[~np.isfinite(printed)]
    kind = "infinite" if where == "low" else "not a number"
    axes.axvspan(bad[0], bad[-1], color=LITERAL, alpha=0.15, linewidth=0, label=f"printed: {kind}")
    axes.set(xlabel="high score − low score", ylabel="loss in float32 / nats")
    axes.set_title(f"the right class has the {where} score")
    axes.legend(loc="upper left" if where == "low" else "center")
