"""What do the schedules of the lecture look like?

Step, exponential, 1/t, cosine, inverse square root and linear decay, linear warmup and warm
restarts (002:522-603), all with the first rate alpha_0 = 1 over T = 100 updates; the cosine and the
straight line alone; and the Transformer's schedule for several widths and warmups. Five values of
each are kept beside the formula as the lecture prints it, computed in float64 with NumPy; where the
formula's t starts at 1 (inverse square root, warmup, Transformer), the update's number is t - 1.

Command: python -m experiments --only what_do_the_schedules_look_like      (CPU, about 1 s)
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, figure
from jaxtricks import schedules

FIGURES = ("F-054", "F-057", "F-058", "F-059")

FROM_ONE = ("inverse sqrt", "warmup")


@dataclasses.dataclass(frozen=True)
class Config:
    """Every decay begins with the rate 1, and those that end do so after `total` updates.

    `points`: the lecture's t at which values are kept. `step`: updates from cut to cut. `decay`:
    strength of the exponential and of the 1/t decay. `warmup`, `restart`: updates of the warmup and
    of a cycle. `transformers`: width and warmup steps of each curve, which has `noam_steps`.
    """

    total: int = 100
    points: tuple[int, ...] = (1, 10, 25, 50, 99)
    step: int = 30
    decay: float = 0.05
    warmup: int = 20
    restart: int = 25
    transformers: tuple[tuple[int, int], ...] = (512, 4000), (512, 8000), (256, 4000), (1024, 4000)
    noam_steps: int = 20_000


SMOKE = Config()
FULL = Config()

Row = tuple[schedules.Schedule, Callable[[int], float]]


def rows(config: Config) -> dict[str, Row]:
    """By name: the schedule, and the lecture's formula of t."""
    total, decay, warmup, restart = config.total, config.decay, config.warmup, config.restart
    return {
        "step": (schedules.step_decay(1.0, config.step), lambda t: 10.0 ** -(t // config.step)),
        "exponential": (schedules.exponential_decay(1.0, decay), lambda t: math.exp(-decay * t)),
        "1/t": (schedules.inverse_time_decay(1.0, decay), lambda t: 1 / (1 + decay * t)),
        "cosine": (
            schedules.cosine_decay(1.0, total),
            lambda t: (1 + math.cos(math.pi * t / total)) / 2,
        ),
        "inverse sqrt": (schedules.inverse_sqrt_decay(1.0), lambda t: 1 / math.sqrt(t)),
        "linear": (schedules.linear_decay(1.0, total), lambda t: 1 - t / total),
        "warmup": (schedules.linear_warmup(1.0, warmup), lambda t: min(t / warmup, 1.0)),
        "warm restarts": (
            schedules.cosine_restarts(1.0, restart),
            lambda t: (1 + math.cos(math.pi * (t % restart) / restart)) / 2,
        ),
    }


def run(config: Config) -> dict[str, Any]:
    """The curves, five values of each with the formula's, and the Transformer's peaks."""
    gallery = rows(config)
    curves, noam = all_curves(gallery, config)
    return {
        "names": list(gallery),
        "curves": curves,
        "points": config.points,
        "values": [
            curve[np.array(config.points) - (name in FROM_ONE)]
            for name, curve in zip(gallery, curves, strict=True)
        ],
        "formulas": [[formula(t) for t in config.points] for _, formula in gallery.values()],
        "transformers": config.transformers,
        "noam_steps": np.arange(0, config.noam_steps, 100) + 1,
        "noam": noam[:, ::100],
        "peak_rates": noam.max(axis=1),
        "peak_steps": noam.argmax(axis=1) + 1,
        "peak_formulas": [1 / math.sqrt(d * w) for d, w in config.transformers],
    }


def all_curves(gallery: dict[str, Row], config: Config) -> tuple[list[np.ndarray], np.ndarray]:
    """The gallery's curves, and the Transformer's `[setting, step]`."""

    @jax.jit
    def evaluate() -> tuple[list[jax.Array], list[jax.Array]]:
        short, long = jnp.arange(config.total + 1), jnp.arange(config.noam_steps)
        noam = [schedules.noam(d, warmup_steps=w) for d, w in config.transformers]
        curves = [jax.vmap(schedule)(short) for schedule, _ in gallery.values()]
        return curves, [jax.vmap(schedule)(long) for schedule in noam]

    curves, noam = evaluate()
    return [np.asarray(curve) for curve in curves], np.stack(noam)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns figures only; the tests hold the numbers to the formulas."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The gallery on one axis, the cosine, the straight line, the Transformer."""
    fig, (gallery, noam, cosine, line) = figure(2, 2, width=5.4, height=4.0)
    names = results["names"]
    for i, (name, curve) in enumerate(zip(names, results["curves"], strict=True)):
        colour = COLOURS[i]
        drawstyle = "steps-post" if name == "step" else "default"
        gallery.plot(curve, color=colour, drawstyle=drawstyle, label=name)
        where = np.array(results["points"]) - (name in FROM_ONE)
        gallery.plot(where, results["formulas"][i], "o", color=colour, ms=4, mec="white", mew=0.4)
    gallery.set(xlabel="update", ylabel=r"rate / $\alpha_0$", ylim=(-0.03, 1.75))
    gallery.legend(ncol=2, loc="upper center")
    gallery.set_title("all on one axis (dots: the printed formulas)")
    for axes, name in ((cosine, "cosine"), (line, "linear")):
        place = names.index(name)
        draw_one(axes, results["curves"][place], name, COLOURS[place])
    draw_noam(noam, results)
    return fig


def draw_one(axes: Axes, curve: np.ndarray, name: str, colour: str) -> None:
    """One decay from alpha_0 to 0, its middle and its end marked."""
    formula = {
        "cosine": r"$\alpha_t = \frac{1}{2}\alpha_0 (1 + \cos(\pi t / T))$",
        "linear": r"$\alpha_t = \alpha_0 (1 - t / T)$",
    }[name]
    total = len(curve) - 1
    axes.plot(curve, color=colour, label=formula)
    for at, mark in ((total // 2, "s"), (total, "o")):
        label = f"t = {at}: {abs(curve[at]):.2g}"
        axes.plot(at, curve[at], mark, color="black", ms=6, clip_on=False, label=label)
    axes.set(xlabel="t", ylabel=r"rate / $\alpha_0$", ylim=(-0.03, 1.05))
    source = "cosine decay" if name == "cosine" else "linear decay (BERT, without its warmup)"
    axes.set_title(f"{source}, T = {total}")
    axes.legend(loc="upper right")


def draw_noam(axes: Axes, results: dict[str, Any]) -> None:
    """The Transformer's schedule for several widths and warmups, peaks marked."""
    for i, ((d, w), curve) in enumerate(zip(results["transformers"], results["noam"], strict=True)):
        label = f"d = {d}, w = {w:,}: peak {results['peak_rates'][i]:.6f}"
        look = "--" if i == 1 else "-"  # it joins the first curve after its warmup
        axes.plot(results["noam_steps"], curve, look, color=COLOURS[i], label=label)
        peak = results["peak_steps"][i], results["peak_formulas"][i]
        axes.plot(*peak, "o", color=COLOURS[i], ms=5, mec="white")
    top = 1.6 * results["noam"].max()
    ticks = np.linspace(0, results["noam_steps"][-1] + 99, 5)
    axes.set(xlabel="step", ylabel="rate", ylim=(0, top))
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    rates = (0.0, 0.0005, 0.001)
    axes.set_yticks(rates, ["0", "0.0005", "0.001"])
    axes.set_title(r"Transformer (dots: $1 / \sqrt{d w}$ at step w)")
    axes.legend(loc="upper right")
