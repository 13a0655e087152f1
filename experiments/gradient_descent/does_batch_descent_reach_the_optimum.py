"""Does the vanilla update descend, and up to which learning rate?

The lecture's batch gradient descent (000:102-108) moves by minus alpha times the mean gradient.
With L the largest curvature anywhere the loss falls at every step if alpha < 2 / L; with L* that at
the optimum it cannot settle there if alpha > 2 / L*. For linear regression L = L*; for logistic
regression L = lambda_max(X^T X / m) / 4 is the curvature at 0, and L* is less.

Command: python -m experiments --only does_batch_descent_reach_the_optimum      (CPU, about 3 s)
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    draw_path,
    draw_surface,
    exactly,
    figure,
    ordered,
    over,
    surface_grid,
    under,
)
from experiments.lab.scenes import LINE_RATE, LINE_START, LINE_VIEW, line_fit
from jaxtricks import optimizers, surfaces

FIGURES = ("F-011",)
CLAIMS = ("C-001",)
PLANS = {
    "C-001": Plan(
        effects={"change of the loss": 1e-6},
        gates=("pos",),
        settings={"planted rate over 2 / L*": 1.05},
    )
}
PROBLEMS = ("linear", "logistic")


@dataclasses.dataclass(frozen=True)
class Config:
    """`fractions` are rates as shares of 2 / L*, each for `steps` updates.

    The drawn path begins at `start`, an intercept and a slope, and has `path_steps` at `rate`.
    """

    fractions: tuple[float, ...] = (
        0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.01, 1.05, 1.1, 1.3, 1.5,
    )  # fmt: skip
    steps: int = 400
    path_steps: int = 60
    start: tuple[float, float] = LINE_START
    rate: float = LINE_RATE


SMOKE = Config(fractions=(0.1, 0.99, 1.01, 1.05, 1.5), steps=100)
FULL = Config(steps=5000)


def run(config: Config) -> dict[str, Any]:
    """One path on the contour; then losses of both regressions at rates around the limit."""
    inputs, targets = line_fit()
    labels = (targets > targets.mean()).astype(float)
    labels[::8] = 1 - labels[::8]  # so that no line separates them

    def line(theta: jax.Array) -> jax.Array:
        return surfaces.least_squares(jnp.asarray(inputs), jnp.asarray(targets))(theta)

    def logistic(theta: jax.Array) -> jax.Array:
        return surfaces.logistic_regression(jnp.asarray(inputs), jnp.asarray(labels))(theta)

    def descend() -> surfaces.Trajectory:
        rule = optimizers.gradient_descent(config.rate)
        return surfaces.trajectory(rule, line, jnp.array(config.start), config.path_steps)

    path = jax.jit(descend)()
    with jax.enable_x64(True):
        rates = {"linear": around_limit(line, config), "logistic": around_limit(logistic, config)}
    return {
        "grid": surface_grid(line, LINE_VIEW),
        "path": path.points,
        "losses": path.losses,
        "optimum": np.linalg.lstsq(inputs, targets)[0],
        "rate": config.rate,
        "fractions": config.fractions,
        "steps": config.steps,
        **rates,
    }


def around_limit(surface: Callable[[jax.Array], jax.Array], config: Config) -> dict[str, Any]:
    """Largest relative rise of the loss in one step, for each rate; and both curvatures."""
    derivatives = jax.jit(lambda x: (surface(x), jax.grad(surface)(x), jax.hessian(surface)(x)))
    start = newton = np.zeros(2)
    for _ in range(20):
        _, gradient, hessian = derivatives(newton)
        newton = newton - np.linalg.solve(hessian, gradient)
    curvatures = [np.linalg.eigvalsh(derivatives(point)[2])[-1] for point in (start, newton)]

    def losses(rate: jax.Array) -> jax.Array:
        rule = optimizers.gradient_descent(rate)
        return surfaces.trajectory(rule, surface, start, config.steps).losses

    rates = 2 * np.array(config.fractions) / curvatures[1]
    values, least = np.asarray(jax.jit(jax.vmap(losses))(rates)), float(derivatives(newton)[0])
    return {
        "largest_curvature": curvatures[0],
        "curvature_at_optimum": curvatures[1],
        "rises": np.max(values[:, 1:] / values[:, :-1] - 1, axis=1),
        "excess": (values[:, :41] - least) / (values[0, 0] - least),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if no loss rises at rates under 2 / L and every one does over 2 / L*."""
    plan = PLANS["C-001"]
    rounding = plan.effects["change of the loss"]
    planted = results["fractions"] == plan.settings["planted rate over 2 / L*"]
    risen = [float(results[name]["rises"][planted][0]) for name in PROBLEMS]
    gate = Gate(
        "pos",
        min(risen) > rounding,
        f"at 1.05 times 2 / L* the loss rises, by {min(risen):.2g} of itself in a step or more",
    )
    return [
        all_of(
            "C-001",
            [part for name in PROBLEMS for part in parts_of(name, results)],
            gates=[gate],
            scope="linear and logistic regression of 2 weights on 64 made examples, full batches, "
            f"{results['steps']:.0f} updates at {len(results['fractions'])} rates from 0.01 to "
            "1.5 times 2 / L*, float64",
        )
    ]


def parts_of(name: str, results: dict[str, Any]) -> list[Part]:
    """The loss falls below one rate and rises above another, the same for linear regression."""
    result, rounding = results[name], PLANS["C-001"].effects["change of the loss"]
    limit = result["curvature_at_optimum"] / result["largest_curvature"]  # as a share of 2 / L*
    below, above = results["fractions"] < limit, results["fractions"] > 1
    rises = result["rises"]
    return [
        under(
            f"{name} regression, largest relative rise in a step at {below.sum()} rates under "
            f"2 / L = {2 / result['largest_curvature']:.3f}",
            exactly(rises[below].max()),
            rounding,
            panel="c",
        ),
        over(
            f"{name} regression, the same at {above.sum()} rates over 2 / L* = "
            f"{2 / result['curvature_at_optimum']:.3f}, the least of them",
            exactly(rises[above].min()),
            rounding,
            panel="c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The path on the contour, the losses of some rates, and the largest rise of all."""
    fig, (above, curves, limit) = figure(1, 3, width=5.2, height=4.5)
    draw_surface(
        above,
        results["grid"],
        start=results["path"][0],
        optimum=results["optimum"],
        names=(r"intercept $\theta_0$", r"slope $\theta_1$"),
    )
    draw_path(above, results["path"], "gradient descent")
    above.set_title(f"batch gradient descent, rate {results['rate']}")
    above.legend(loc="lower left")
    draw_curves(curves, results)
    draw_limit(limit, results)
    return fig


def draw_curves(axes: Axes, results: dict[str, Any]) -> None:
    """Excess loss of linear regression over the first 40 steps."""
    fractions = results["fractions"]
    for fraction in (f for f in (0.03, 0.1, 0.5, 0.99, 1.01, 1.1) if f in fractions):
        excess = results["linear"]["excess"][int(np.argmin(np.abs(fractions - fraction)))]
        excess = excess[(excess > 1e-9) & (excess < 1e4)]
        colour = ordered("learning rate", fraction)
        axes.semilogy(excess, color=colour)
        axes.annotate(
            f"{fraction:g}", (len(excess) - 1, excess[-1]), (4, 0), textcoords="offset points",
            color=colour, va="center",
        )  # fmt: skip
    axes.set(xlabel="step", ylabel="excess loss / the first one", ylim=(1e-10, 3e4), xlim=(-1, 46))
    axes.set_title("linear regression, by rate / (2 / L)")


def draw_limit(axes: Axes, results: dict[str, Any]) -> None:
    """The largest rise of the loss in a step, at each rate."""
    floor = 1e-6  # where it never rises
    for name, colour, marker, size in zip(PROBLEMS, COLOURS, "os", (9, 5), strict=False):
        rises = np.maximum(results[name]["rises"], floor)
        axes.loglog(results["fractions"], rises, marker + "-", color=colour, ms=size, label=name)
    axes.set_yticks([floor, 1e-4, 1e-2, 1], ["none", "0.01 %", "1 %", "100 %"])
    axes.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    axes.minorticks_off()
    lowest = results["logistic"]["curvature_at_optimum"] / results["logistic"]["largest_curvature"]
    axes.axvline(1, color="black", linestyle=":", label="2 / L* (linear: also 2 / L)")
    axes.axvline(lowest, color=COLOURS[1], linestyle=":", label="2 / L, logistic")
    axes.set_xlabel("rate / (2 / L*), L* the curvature at the optimum")
    axes.set_ylabel("largest rise of the loss in a step")
    axes.set_title(f"rises within {results['steps']:.0f} steps")
    axes.legend(loc="upper left")
