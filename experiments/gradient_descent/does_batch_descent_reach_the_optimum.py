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

from experiments.engine import COLOURS, draw_path, draw_surface, figure, surface_grid
from experiments.engine.before import Verdict, combine, exact
from experiments.scenes import LINE_RATE, LINE_VIEW, line_fit, line_start
from jaxtricks import optimizers, surfaces

FIGURES = ("F-011",)
CLAIMS = ("C-001",)


@dataclasses.dataclass(frozen=True)
class Config:
    """`fractions`: rates as shares of 2 / L*; `steps`: updates; `path_steps`: of the picture."""

    fractions: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.01, 1.1, 1.3, 1.5)
    steps: int = 400
    path_steps: int = 60


SMOKE = Config(fractions=(0.1, 0.99, 1.01, 1.5), steps=100)
FULL = Config(steps=5000)
RISE = 1e-10  # relative: float64 differences of a loss that no longer changes


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
        rule = optimizers.gradient_descent(LINE_RATE)
        return surfaces.trajectory(rule, line, jnp.asarray(line_start()), config.path_steps)

    path = jax.jit(descend)()
    with jax.enable_x64(True):
        rates = {"linear": around_limit(line, config), "logistic": around_limit(logistic, config)}
    return {
        "grid": surface_grid(line, LINE_VIEW),
        "path": path.points,
        "losses": path.losses,
        "optimum": np.linalg.lstsq(inputs, targets)[0],
        "rate": LINE_RATE,
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
    parts = []
    for name in ("linear", "logistic"):
        result = results[name]
        limit = result["curvature_at_optimum"] / result["largest_curvature"]  # as a share of 2 / L*
        below, above = results["fractions"] < limit, results["fractions"] > 1
        rises = result["rises"]
        text = (
            f"{name} regression, {results['steps']:.0f} steps: under 2 / L = "
            f"{2 / result['largest_curvature']:.3f} the loss rises at {np.sum(rises[below] > RISE)}"
            f" of {below.sum()} rates, over 2 / L* = {2 / result['curvature_at_optimum']:.3f} at "
            f"{np.sum(rises[above] > RISE)} of {above.sum()}"
        )
        holds = np.all(rises[below] <= RISE) and np.all(rises[above] > RISE)
        parts.append(exact("C-001", holds, text))
    return [combine("C-001", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """The path on the contour, the losses of some rates, and the largest rise of all."""
    fig, (above, curves, limit) = figure(1, 3, width=4.4, height=3.5)
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
    floor = 1e-6  # where the loss never rises; the least rise that does is 1e-4
    for name, colour, marker, size in (
        ("linear", "#0072B2", "o", 8),
        ("logistic", "#E69F00", "s", 4),
    ):
        rises = np.where(results[name]["rises"] > RISE, results[name]["rises"], floor)
        limit.loglog(results["fractions"], rises, marker + "-", color=colour, ms=size, label=name)
    limit.set_yticks([floor, 1e-4, 1e-2, 1], ["none", "$10^{-4}$", "$10^{-2}$", "1"])
    limit.minorticks_off()
    lowest = results["logistic"]["curvature_at_optimum"] / results["logistic"]["largest_curvature"]
    limit.axvline(1, color="black", linestyle=":", label="2 / L* (linear: 2 / L)")
    limit.axvline(lowest, color="#E69F00", linestyle=":", label="2 / L, logistic")
    limit.set(xlabel="rate / (2 / L*)", ylabel="largest relative rise of the loss in a step")
    limit.set_title(f"no step up under 2 / L ({results['steps']:.0f} steps)")
    limit.legend(loc="upper left")
    return fig


def draw_curves(axes: Axes, results: dict[str, Any]) -> None:
    """Excess loss of linear regression over the first 40 steps."""
    fractions = results["fractions"]
    wanted = [f for f in (0.03, 0.1, 0.5, 0.99, 1.01, 1.1) if f in fractions]
    for fraction, colour in zip(wanted, COLOURS, strict=False):
        excess = results["linear"]["excess"][int(np.argmin(np.abs(fractions - fraction)))]
        axes.semilogy(excess, color=colour, label=f"{fraction:g}")
    axes.set(xlabel="step", ylabel="(loss − minimum) / (first loss − minimum)", ylim=(1e-9, 1e4))
    axes.set_title("linear regression, rates as shares of 2 / L")
    axes.legend(loc="lower right", ncols=2, title="rate / (2 / L)")
