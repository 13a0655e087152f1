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

TOTAL = 100
POINTS = (1, 10, 25, 50, 99)
RESTART, WARMUP = 25, 20

# Name: the schedule, and the lecture's formula of t.
GALLERY: dict[str, tuple[schedules.Schedule, Callable[[int], float]]] = {
    "step": (schedules.step_decay(1.0, 30), lambda t: 10.0 ** -(t // 30)),
    "exponential": (schedules.exponential_decay(1.0, 0.05), lambda t: math.exp(-0.05 * t)),
    "1/t": (schedules.inverse_time_decay(1.0, 0.05), lambda t: 1 / (1 + 0.05 * t)),
    "cosine": (
        schedules.cosine_decay(1.0, TOTAL),
        lambda t: (1 + math.cos(math.pi * t / TOTAL)) / 2,
    ),
    "inverse sqrt": (schedules.inverse_sqrt_decay(1.0), lambda t: 1 / math.sqrt(t)),
    "linear": (schedules.linear_decay(1.0, TOTAL), lambda t: 1 - t / TOTAL),
    "warmup": (schedules.linear_warmup(1.0, WARMUP), lambda t: min(t / WARMUP, 1.0)),
    "warm restarts": (
        schedules.cosine_restarts(1.0, RESTART),
        lambda t: (1 + math.cos(math.pi * (t % RESTART) / RESTART)) / 2,
    ),
}
FROM_ONE = ("inverse sqrt", "warmup")
TRANSFORMERS = ((512, 4000), (512, 8000), (256, 4000), (1024, 4000))


@dataclasses.dataclass(frozen=True)
class Config:
    """`noam_steps`: how far the Transformer's curves go."""

    noam_steps: int = 20_000


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """The curves, five values of each with the formula's, and the Transformer's peaks."""
    curves, noam = all_curves(config.noam_steps)
    places = {name: np.array(POINTS) - (name in FROM_ONE) for name in GALLERY}
    return {
        "curves": list(curves.values()),
        "points": POINTS,
        "values": [curve[places[name]] for name, curve in curves.items()],
        "formulas": [[formula(t) for t in POINTS] for _, formula in GALLERY.values()],
        "noam_steps": np.arange(0, config.noam_steps, 100) + 1,
        "noam": noam[:, ::100],
        "peak_rates": noam.max(axis=1),
        "peak_steps": noam.argmax(axis=1) + 1,
        "peak_formulas": [1 / math.sqrt(d * w) for d, w in TRANSFORMERS],
    }


def all_curves(noam_steps: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The gallery by name, and the Transformer's curves `[setting, step]`."""

    @jax.jit
    def evaluate() -> tuple[list[jax.Array], list[jax.Array]]:
        short, long = jnp.arange(TOTAL + 1), jnp.arange(noam_steps)
        gallery = [jax.vmap(schedule)(short) for schedule, _ in GALLERY.values()]
        return gallery, [jax.vmap(schedules.noam(d, warmup_steps=w))(long) for d, w in TRANSFORMERS]

    gallery, noam = evaluate()
    named = dict(zip(GALLERY, map(np.asarray, gallery), strict=True))
    return named, np.stack(noam)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns figures only; the tests hold the numbers to the formulas."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The gallery on one axis, the cosine, the straight line, the Transformer."""
    fig, (gallery, noam, cosine, line) = figure(2, 2, width=5.4, height=4.0)
    t = np.arange(TOTAL + 1)
    for i, (name, curve) in enumerate(zip(GALLERY, results["curves"], strict=True)):
        colour = COLOURS[i]
        drawstyle = "steps-post" if name == "step" else "default"
        gallery.plot(t, curve, color=colour, drawstyle=drawstyle, label=name)
        where = np.array(results["points"]) - (name in FROM_ONE)
        gallery.plot(where, results["formulas"][i], "o", color=colour, ms=4, mec="white", mew=0.4)
    gallery.set(xlabel="update", ylabel=r"rate / $\alpha_0$", ylim=(-0.03, 1.75))
    gallery.legend(ncol=2, loc="upper center")
    gallery.set_title("all on one axis (dots: the printed formulas)")
    names = list(GALLERY)
    draw_one(cosine, t, results["curves"][names.index("cosine")], "cosine")
    draw_one(line, t, results["curves"][names.index("linear")], "linear")
    draw_noam(noam, results)
    return fig


def draw_one(axes: Axes, t: np.ndarray, curve: np.ndarray, name: str) -> None:
    """One decay from alpha_0 to 0, its middle and its end marked."""
    formula = {
        "cosine": r"$\alpha_t = \frac{1}{2}\alpha_0 (1 + \cos(\pi t / T))$",
        "linear": r"$\alpha_t = \alpha_0 (1 - t / T)$",
    }[name]
    axes.plot(t, curve, color=COLOURS[list(GALLERY).index(name)], label=formula)
    for at, mark in ((TOTAL // 2, "s"), (TOTAL, "o")):
        label = f"t = {at}: {abs(curve[at]):.2g}"
        axes.plot(t[at], curve[at], mark, color="black", ms=6, clip_on=False, label=label)
    axes.set(xlabel="t", ylabel=r"rate / $\alpha_0$", ylim=(-0.03, 1.05))
    source = "cosine decay" if name == "cosine" else "linear decay (BERT, without its warmup)"
    axes.set_title(f"{source}, T = {TOTAL}")
    axes.legend(loc="upper right")


def draw_noam(axes: Axes, results: dict[str, Any]) -> None:
    """The Transformer's schedule for several widths and warmups, peaks marked."""
    for i, ((d, w), curve) in enumerate(zip(TRANSFORMERS, results["noam"], strict=True)):
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
