"""Where does gradient descent crawl or stand still, and does mini-batch noise move it on?

The lecture: at a local minimum or a saddle the gradient is about zero and SGD hardly moves the
weights (002:182-194); descent is slow in some places (004:31-38). Near each such point, 0.01 away
in a random direction, the mean step is compared with the first step from the surface's own start,
with and without noise. The noise is that of B = 32 examples, each gradient's standard deviation
being the length of the gradient at the start. "Hardly moves" is fixed at a tenth of that first
step.

Command: python -m experiments --only where_does_descent_stand_still      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import figure, interval
from experiments.engine.before import Verdict, combine, paired
from jaxtricks import optimizers, surfaces

FIGURES = ("F-021", "F-035")
CLAIMS = ("C-009",)
LOCAL_MINIMUM = 0.930403  # root of 4 x^3 - 4 x + 0.5
POINTS = {
    "local minimum": (surfaces.local_minimum(), np.array(LOCAL_MINIMUM)),
    "flat inflection": (surfaces.inflection(), np.array(0.0)),
    "saddle": (surfaces.saddle(offset=0.1), np.zeros(2)),
}
BALLS = ("local minimum", "flat inflection")
TENTH = 0.1


@dataclasses.dataclass(frozen=True)
class Config:
    """`near`: distance from the point; `steps`: averaged over; `long`: steps of the picture."""

    seeds: int = 20
    near: float = 0.01
    rate: float = 0.02
    batch_size: int = 32
    steps: int = 20
    long: int = 200
    course_steps: int = 20_000


SMOKE = Config(seeds=5, long=50, course_steps=15_000)
FULL = Config(seeds=1000)


def course(x: jax.Array) -> jax.Array:
    """A descent of slope 1 with a plateau (slope 0.02), a saddle's ridge (0.001), a minimum."""

    def step(depth: float, middle: float, width: float) -> jax.Array:
        return depth * width * jax.lax.erf((x - middle) / width)

    return -x + 0.886227 * (step(0.98, 2.0, 0.8) + step(0.999, 4.5, 0.3) + step(1.8, 7.0, 0.5))


def run(config: Config) -> dict[str, Any]:
    """Steps near each point, balls rolling into two of them, and one long descent."""
    grid = np.linspace(0.0, 8.2, 165, dtype=np.float32)
    found = jax.device_get(jax.jit(measure, static_argnums=2)(3, grid, config))
    near_points, rolling, xs, (losses, slopes) = found
    places, counts = np.unique(np.floor(xs / 0.1).astype(int), return_counts=True)
    return {
        "near": {name: near_points[name] for name in POINTS},  # jit sorts the keys
        "balls": {name: rolling[name] for name in BALLS},
        "course": {"x": grid, "loss": losses},
        "slope": slopes,
        "places": 0.1 * places[:-1] + 0.05,
        "counts": counts[:-1],
        "end": xs[-1],
        "rate": config.rate,
        "batch_size": config.batch_size,
        "seeds": config.seeds,
    }


def measure(seed: jax.Array, grid: jax.Array, config: Config) -> tuple[Any, ...]:
    """All that is computed: near the points, the balls, the descent, and the course itself."""
    keys = jax.random.split(jax.random.key(seed), config.seeds)
    rule = optimizers.gradient_descent(config.rate)
    return (
        {name: near(name, keys, config) for name in POINTS},
        {name: balls(name) for name in BALLS},
        surfaces.trajectory(rule, course, jnp.asarray(0.0), config.course_steps).points,
        jax.vmap(jax.value_and_grad(course))(grid),
    )


def balls(name: str) -> dict[str, Any]:
    """A ball on a one-dimensional curve, and the gradient where it ends."""
    surface, _ = POINTS[name]
    path = surfaces.trajectory(optimizers.gradient_descent(0.02), surface, surface.start, 400)
    reach = 1.7 if name == "local minimum" else 1.2
    x = jnp.linspace(-reach, reach, 101)
    return {
        "x": x,
        "loss": jax.vmap(surface)(x),
        "points": path.points[::4],
        "gradient": jnp.abs(jax.grad(surface)(path.points[-1])),
    }


def near(name: str, keys: jax.Array, config: Config) -> dict[str, Any]:
    """Mean step near a point over the first step from the start, and distances after `long`."""
    surface, point = POINTS[name]
    rule = optimizers.gradient_descent(config.rate)
    usual = jnp.linalg.norm(jnp.ravel(jax.grad(surface)(surface.start)))

    def one(key: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        direction_key, noise_key = jax.random.split(key)
        direction = jax.random.normal(direction_key, point.shape)
        start = point + config.near * direction / jnp.linalg.norm(jnp.ravel(direction))
        noisy = surfaces.with_gradient_noise(
            surface, (noise * usual) ** 2, batch_size=config.batch_size
        )
        path = surfaces.trajectory(rule, noisy, start, config.long, key=noise_key)
        moves = jnp.linalg.norm(path.updates.reshape(config.long, -1), axis=1)
        away = jnp.linalg.norm(
            path.points.reshape(config.long + 1, -1) - point.reshape(1, -1), axis=1
        )
        return jnp.mean(moves[: config.steps]) / (config.rate * usual), away

    both = jax.vmap(jax.vmap(one, (0, None)), (None, 0))
    (still, moved), away = both(keys, jnp.array([0.0, 1.0]))
    middle = jnp.median(away, axis=1)[:, ::5]
    return {"without": still, "with": moved, "away": jnp.minimum(middle, 10.0)}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the mean step is under a tenth near every point, with and without noise."""
    parts = []
    for kind in ("without", "with"):
        for name, result in results["near"].items():
            batch = f", B = {results['batch_size']:.0f}" if kind == "with" else ""
            text = (
                f"{name}, {kind} noise{batch}: step / first step {result[kind].mean():.3f}, − 0.1"
            )
            parts.append(paired("C-009", result[kind] - TENTH, text, claimed="negative"))
    return [combine("C-009", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Balls at rest, the course with its slow places, and the steps near each point."""
    fig, axes = figure(2, 3, width=4.3, height=3.1)
    for panel, (name, ball) in zip(axes, results["balls"].items(), strict=False):
        panel.plot(ball["x"], ball["loss"], color="black")
        heights = np.interp(ball["points"], ball["x"], ball["loss"])
        steps = 4 * (len(heights) - 1)
        label = "gradient descent, every 4th step"
        panel.plot(ball["points"], heights, "o", color="#D55E00", ms=4, label=label)
        panel.plot(
            ball["points"][0], heights[0], "o", mfc="white", mec="black", ms=8, label="start"
        )
        panel.plot(
            ball["points"][-1], heights[-1], "o", color="#D55E00", ms=10, mec="black",
            label=f"after {steps} steps",
        )  # fmt: skip
        panel.set(xlabel="x", ylabel="loss", ylim=(-1.9, 2.6))
        panel.set_title(f"{name}: gradient {ball['gradient']:.1g} at the end")
        panel.legend(loc="upper left" if name == "flat inflection" else "upper center")
    axes[0].annotate("lower minimum", (-1.06, -1.51), (-0.3, -1.6), arrowprops={"arrowstyle": "->"})
    draw_away(axes[2], results)
    draw_course(axes[3], axes[4], results)
    draw_steps(axes[5], results)
    return fig


def draw_away(axes: Axes, results: dict[str, Any]) -> None:
    """How far it gets, from 0.01 away of each point."""
    for (name, result), colour in zip(
        results["near"].items(), ("#0072B2", "#E69F00", "#009E73"), strict=True
    ):
        for values, style in zip(result["away"], ("-", "--"), strict=True):
            axes.semilogy(5 * np.arange(len(values)), values, style, color=colour)
        axes.plot([], [], color=colour, label=name)
    axes.plot([], [], "k-", label="without noise")
    axes.plot([], [], "k--", label=f"with noise, B = {results['batch_size']:.0f}")
    axes.set(xlabel="step", ylabel="distance from the point (cut at 10)")
    axes.set_title(f"from 0.01 away, median of {results['seeds']:.0f} seeds")
    axes.set_ylim(5e-8, 40)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))


def draw_course(above: Axes, below: Axes, results: dict[str, Any]) -> None:
    """The long descent, and the steps it spends on each 0.1 of the way."""
    x, loss = results["course"]["x"], results["course"]["loss"]
    above.plot(x, loss, color="black")
    above.plot(results["end"], np.interp(results["end"], x, loss), "o", color="#D55E00", ms=9)
    for place, text in (
        (2.0, "plateau"),
        (4.5, "beside a saddle"),
        (results["end"], "local minimum"),
    ):
        height = np.interp(place, x, loss)
        above.annotate(
            text, (place, height), (place, height + 1.0), ha="center",
            arrowprops={"arrowstyle": "->"},
        )  # fmt: skip
    above.set(xlabel="x", ylabel="loss", ylim=(loss.min() - 0.5, loss.max() + 1.0))
    above.set_title("one descent past slow places")
    below.semilogy(
        results["places"], results["counts"], "o", color="#D55E00", ms=4, label="counted"
    )
    down = (results["slope"] < -1e-4) & (x < results["end"])
    law = -0.1 / (results["rate"] * results["slope"][down])
    below.semilogy(x[down], law, "k-", lw=1, label=r"law $0.1 / (\alpha |f'|)$")
    below.set(xlabel="x", ylabel="steps per 0.1 of x", ylim=(2, 2e4), xlim=above.get_xlim())
    below.set_title("steps spent per unit of progress")
    below.legend(loc="upper left")


def draw_steps(axes: Axes, results: dict[str, Any]) -> None:
    """Mean step near each point, over the first step from the start."""
    for offset, (kind, colour) in enumerate((("without", "#0072B2"), ("with", "#E69F00"))):
        places = np.arange(len(results["near"])) + 0.2 * offset - 0.1
        stats = np.array([interval(result[kind]) for result in results["near"].values()]).T
        errors = [stats[0] - stats[1], stats[2] - stats[0]]
        axes.errorbar(
            places, stats[0], errors, fmt="o", color=colour, capsize=3, label=f"{kind} noise"
        )
    axes.axhline(TENTH, color="black", linestyle=":", label="a tenth")
    axes.set_yscale("log")
    axes.set_xticks(range(len(results["near"])), results["near"])
    axes.set(ylabel="mean step / first step", ylim=(1e-5, 3), xlim=(-0.5, 2.5))
    axes.set_title(f"steps near each point, mean and 95 %, {results['seeds']:.0f} seeds")
    axes.legend(loc="lower right")
