"""Where does gradient descent crawl or stand still, and does mini-batch noise move it on?

The lecture: once in a local minimum or a saddle the gradient is about zero and SGD can hardly move
the weights (002:182-194); descent is slow in some places (004:31-38). Noisy descent starts 0.01
from such a point in a random direction. It counts as stopped if it is not yet 0.5 away after 100
times the steps that the same noisy descent needs for a distance of 0.5 from the surface's own
start. The noise is that of B examples, each gradient's standard deviation being the length of the
gradient at the surface's start. On an even slope none may stop.

Command: python -m experiments --only where_does_descent_stand_still      (CPU, about 6 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    figure,
    proportion,
)
from experiments.gradient_descent import _slow_places as slow
from jaxtricks import surfaces

FIGURES = ("F-021", "F-035")
CLAIMS = ("C-009",)
PLANS = {
    "C-009": Plan(
        effects={"share stopped": 0.5},
        gates=("pos",),
        settings={"times the steps from the start": 100, "printed at": (10, 1000)},
    )
}
LOCAL_MINIMUM = 0.930403  # root of 4 x^3 - 4 x + 0.5
TIMES = (10, 100, 1000)


def slope() -> surfaces.Surface:
    """The control: everywhere as steep as at its start."""
    return surfaces.Surface(lambda x: -x, np.array(-1.0))


@dataclasses.dataclass(frozen=True)
class Config:
    """Each of `seeds` descents starts `near` a point and has left when it is `away` from it; both
    are distances. Its `rate` is also that of the balls, of `ball_steps`, and of the long descent,
    of `course_steps`.

    The noise is that of each of `batch_sizes`; the saddle's own start is `offset` from the ridge.
    """

    seeds: int = 40
    seed: int = 15_009
    near: float = 0.01
    away: float = 0.5
    rate: float = 0.02
    batch_sizes: tuple[int, ...] = (8, 32, 128)
    course_steps: int = 20_000
    ball_steps: int = 400
    offset: float = 0.1


SMOKE = Config(seeds=12, batch_sizes=(32,), course_steps=15_000)
FULL = Config(seeds=400)


def run(config: Config) -> dict[str, Any]:
    """Steps until each point is left, balls rolling to rest, and one long descent."""
    grid = np.linspace(0.0, 8.2, 165, dtype=np.float32)
    rolling, xs, (losses, slopes) = jax.device_get(
        jax.jit(slow.pictures, static_argnums=(1, 2, 3))(
            grid, config.rate, config.course_steps, config.ball_steps
        )
    )
    places, counts = np.unique(np.floor(xs / 0.1).astype(int), return_counts=True)
    with jax.enable_x64(True):
        left = {name: leave(*at, config) for name, at in points(config).items()}
    return {
        "left": left,
        "balls": {name: rolling[name] for name in slow.BALLS},
        "course": {"x": grid, "loss": losses},
        "slope": slopes,
        "places": 0.1 * places[:-1] + 0.05,
        "counts": counts[:-1],
        "end": xs[-1],
        "rate": config.rate,
        "batch_sizes": config.batch_sizes,
        "near": config.near,
        "away": config.away,
    }


def points(config: Config) -> dict[str, tuple[surfaces.Surface, np.ndarray]]:
    """The surfaces, and the points near which the descent starts."""
    return {
        "local minimum": (surfaces.local_minimum(), np.array(LOCAL_MINIMUM)),
        "saddle": (surfaces.saddle(offset=config.offset), np.zeros(2)),
        "slope": (slope(), np.array(0.0)),
    }


def leave(surface: surfaces.Surface, point: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """Steps by [batch size, seed] until the point is left, and how many count as one.

    That many is the median number of steps from the surface's own start, on other seeds. A descent
    that is still there after 1000 times as many has one more.
    """
    usual = jnp.linalg.norm(jnp.ravel(jax.grad(surface)(jnp.asarray(surface.start))))
    start_key, near_key = jax.random.split(jax.random.key(config.seed))

    def steps(
        begin: jax.Array, around: jax.Array, noise: jax.Array, key: jax.Array, most: jax.Array
    ) -> jax.Array:
        def there(carry: tuple) -> jax.Array:
            x, step = carry
            return (jnp.linalg.norm(jnp.ravel(x - around)) < config.away) & (step <= most)

        def move(carry: tuple) -> tuple:
            x, step = carry
            draw = jax.random.normal(jax.random.fold_in(key, step), x.shape)
            return x - config.rate * (jax.grad(surface)(x) + noise * draw), step + 1

        return jax.lax.while_loop(there, move, (begin, 0))[1]

    def near(noise: jax.Array, key: jax.Array, most: jax.Array) -> jax.Array:
        direction_key, noise_key = jax.random.split(key)
        direction = jax.random.normal(direction_key, point.shape)
        begin = point + config.near * direction / jnp.linalg.norm(jnp.ravel(direction))
        return steps(begin, jnp.asarray(point), noise, noise_key, most)

    start = jnp.asarray(surface.start, jnp.float64)
    noises = usual / jnp.sqrt(jnp.array(config.batch_sizes))
    keys = jax.random.split(start_key, config.seeds)
    over_keys = jax.vmap(steps, (None, None, None, 0, None))
    from_start = jax.jit(jax.vmap(over_keys, (None, None, 0, None, None)))
    unit = np.median(from_start(start, start, noises, keys, 10**6), axis=1)
    keys = jax.random.split(near_key, config.seeds)
    each = jax.vmap(jax.vmap(near, (None, 0, None)), (0, None, 0))
    left = jax.jit(each)(noises, keys, jnp.asarray(max(TIMES) * unit))
    return {"steps": np.asarray(left), "unit": unit}


def stopped(left: dict[str, np.ndarray], times: int) -> np.ndarray:
    """How many descents have not left after `times` the steps that they need from the start."""
    return np.sum(left["steps"] > times * left["unit"][:, None], axis=1)


def median_step(left: dict[str, np.ndarray], i: int) -> str:
    """The median step at which they leave, unless half are still there at the end."""
    median, last = np.median(left["steps"][i]), max(TIMES) * left["unit"][i]
    return (
        f"median step of leaving {median:,.0f}"
        if median <= last
        else (f"half or more are still there after {last:,.0f} steps")
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if more than half stop at the minimum and at the saddle, at every batch size."""
    plan, sizes = PLANS["C-009"], results["batch_sizes"]
    times = plan.settings["times the steps from the start"]
    parts, beside = [], []
    for name in ("local minimum", "saddle"):
        left = results["left"][name]
        seeds = left["steps"].shape[1]
        for i, size in enumerate(sizes):
            part = proportion(
                f"share of descents stopped at the {name}, B = {size}",
                stopped(left, times)[i],
                seeds,
                bound=plan.effects["share stopped"],
                claimed="up",
                panel="c",
            )
            others = ", ".join(
                f"{stopped(left, many)[i] / seeds:.0%} at {many:,} times"
                for many in plan.settings["printed at"]
            )
            parts.append(part)
            beside.append(
                f"{name}, B = {size}: {others} the {left['unit'][i]:g} steps from the start; "
                f"{median_step(left, i)}"
            )
    on_slope = stopped(results["left"]["slope"], times).sum()
    gate = Gate("pos", bool(on_slope == 0), f"on an even slope {on_slope} of all descents stop")
    scope = (
        "one-dimensional double well and x² − y², Gaussian gradient noise of B examples, descent "
        f"at rate {results['rate']} from {results['near']} off, left at {results['away']}, float64"
    )
    return [all_of("C-009", parts, gates=[gate], scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Balls at rest, the course with its slow places, and when each point is left."""
    fig, axes = figure(1, 3, width=5.4, height=4.6)
    slow.draw_balls(axes[0], results)
    slow.draw_course(axes[1], results)
    draw_left(axes[2], results)
    return fig


def draw_left(axes: Axes, results: dict[str, Any]) -> None:
    """Each descent's step of leaving, in units of the steps from the surface's start."""
    names, rows = list(results["left"]), []
    for place, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        left = results["left"][name]
        for i, size in enumerate(results["batch_sizes"]):
            row = 4 * place + i
            times = np.minimum(left["steps"][i] / left["unit"][i], max(TIMES))
            spread = row + np.linspace(-0.3, 0.3, len(times))
            axes.plot(times, spread, "o", color=colour, ms=3, alpha=0.7, clip_on=False)
            rows.append((row, f"B = {size}"))
        axes.text(0.11, 4 * place + 1, name.replace(" ", "\n"), color=colour, va="center")
    axes.axvline(100, color="black", linestyle="--", lw=1)
    axes.text(100, -0.9, "stopped beyond ", ha="right", va="center")
    axes.set_xscale("log")
    ticks = (0.1, 1, 10, 100, 1000)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks[:-1]] + ["≥ 1,000"])
    axes.set_yticks(*zip(*rows, strict=True))
    axes.set(ylim=(4 * len(names) - 1, -1.5), xlabel="step of leaving / steps from the start")
    seeds = results["left"][names[0]]["steps"].shape[1]
    axes.set_title(f"when each of {seeds} noisy descents leaves")
