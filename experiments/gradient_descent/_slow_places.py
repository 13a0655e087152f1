"""Balls that roll to rest on a curve; one descent past a plateau, a saddle and a minimum."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes

from experiments.engine import method
from jaxtricks import optimizers, surfaces

BALLS = ("local minimum", "flat inflection")


def pictures(grid: jax.Array, rate: float, steps: int, ball_steps: int) -> tuple[Any, ...]:
    """The balls, the long descent, and the course itself."""
    rule = optimizers.gradient_descent(rate)
    return (
        {name: balls(name, rule, ball_steps) for name in BALLS},
        surfaces.trajectory(rule, course, jnp.asarray(0.0), steps).points,
        jax.vmap(jax.value_and_grad(course))(grid),
    )


def course(x: jax.Array) -> jax.Array:
    """A descent of slope 1 with a plateau (slope 0.02), a saddle's ridge (0.001), a minimum."""

    def step(depth: float, middle: float, width: float) -> jax.Array:
        return depth * width * jax.lax.erf((x - middle) / width)

    return -x + 0.886227 * (step(0.98, 2.0, 0.8) + step(0.999, 4.5, 0.3) + step(1.8, 7.0, 0.5))


def balls(name: str, rule: optax.GradientTransformation, steps: int) -> dict[str, Any]:
    """A ball on a one-dimensional curve, and the gradient where it ends."""
    surface = surfaces.local_minimum() if name == "local minimum" else surfaces.inflection()
    path = surfaces.trajectory(rule, surface, surface.start, steps)
    reach = 1.7 if name == "local minimum" else 1.2
    x = jnp.linspace(-reach, reach, 101)
    return {
        "x": x,
        "loss": jax.vmap(surface)(x),
        "points": path.points[::4],
        "gradient": jnp.abs(jax.grad(surface)(path.points[-1])),
    }


def draw_balls(axes: Axes, results: dict[str, Any]) -> None:
    """A ball in a local minimum and one on a flat inflection, the second curve lifted."""
    colour = method("gradient descent")["color"]
    for (name, ball), lift in zip(results["balls"].items(), (0.0, 3.0), strict=True):
        axes.plot(ball["x"], ball["loss"] + lift, color="black")
        heights = np.interp(ball["points"], ball["x"], ball["loss"]) + lift
        axes.plot(ball["points"], heights, "o", color=colour, ms=4)
        axes.plot(ball["points"][0], heights[0], "o", mfc="white", mec="black", ms=8)
        axes.plot(ball["points"][-1], heights[-1], "o", color=colour, ms=10, mec="black")
        end = (ball["points"][-1], heights[-1])
        text = f"{name},\n|gradient| {ball['gradient']:.1g}"
        axes.annotate(text, end, (18, 22), textcoords="offset points", ha="right")
    axes.set(xlabel="x", ylabel="loss (the inflection's + 3)", ylim=(-1.9, 5.4))
    axes.set_title("descent from the white balls to rest")


def draw_course(axes: Axes, results: dict[str, Any]) -> None:
    """The long descent and its slow places, each with the steps spent on 0.1 of the way."""
    x, loss, colour = *results["course"].values(), method("gradient descent")["color"]
    axes.plot(x, loss, color="black")
    axes.plot(results["end"], np.interp(results["end"], x, loss), "o", color=colour, ms=9)
    for place, text in ((0.6, "slope"), (2.0, "plateau"), (4.5, "beside a saddle")):
        count = results["counts"][np.argmin(np.abs(results["places"] - place))]
        point_at(axes, f"{text}: {count:,.0f} steps", place, np.interp(place, x, loss))
    point_at(axes, "local minimum: its end", results["end"], np.interp(results["end"], x, loss))
    axes.set(xlabel="x", ylabel="loss", xlim=(-0.4, 11.8))
    axes.set_ylim(loss.min() - 0.5, loss.max() + 1.6)
    axes.set_title("one descent, and its steps on 0.1 of x")


def point_at(axes: Axes, text: str, x: float, y: float) -> None:
    """A text above a point of a curve, and an arrow from it."""
    axes.annotate(text, (x, y), (x, y + 1.0), ha="left", arrowprops={"arrowstyle": "->"})
