"""Does Nesterov's momentum overshoot less than momentum, and is it faster?

004:154-179 and 002:341-349: a more sensible path, faster, because it looks ahead like Newton's
method. (a) Overshoot on the shared valley at the shared rate and rho = 0.9: how far the path
passes the optimum along the flat coordinate, as a share of the start's distance. (b) Steps until
the gradient is 1e-6 of its first norm at the same alpha and rho = 0.9: the median over a grid of
stable alphas of Nesterov's steps over momentum's, of those that arrive within `max_steps` (the
first version counted runs cut off at 4000 as a tie). (c) Both tuned over a grid of alpha and rho:
the smallest spectral radius. (d) The two steps from one point differ by -alpha rho H v; Newton
needs one step.

Command: python -m experiments --only does_nesterov_overshoot_less      (CPU, about 3 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import draw_path, draw_surface, figure, method, surface_grid
from experiments.engine.before import Verdict, combine, exact
from experiments.scenes import DECAY, RATES, rule, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-027",)
CLAIMS = ("C-022",)
ERRATA = ("E-62",)

NAMES = ("gradient descent", "momentum", "nesterov")
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: alphas between 0.05 / h2 and 1.3 / h2, stable for both; `grid`: of alpha and rho."""

    condition_numbers: tuple[float, ...] = (10.0, 100.0, 1000.0)
    rates: int = 16
    max_steps: int = 6000
    grid: int = 200
    steps: int = 80


SMOKE = Config(condition_numbers=(10.0, 100.0), rates=6, max_steps=1000, grid=60, steps=30)
FULL = Config(rates=60, max_steps=20_000, grid=800)


def run(config: Config) -> dict[str, Any]:
    """Paths, steps at equal settings, spectral radii, and the second-order term."""
    start = np.array(valley().start, np.float32)
    fractions = np.geomspace(0.05, 1.3, config.rates, dtype=np.float32)
    kappas = np.array(config.condition_numbers, np.float32)
    results: dict[str, Any] = {
        "grid": surface_grid(valley()),
        "condition_numbers": config.condition_numbers,
        "fractions": fractions,
        "max_steps": config.max_steps,
        "radius law momentum": (np.sqrt(kappas) - 1) / (np.sqrt(kappas) + 1),
        "radius law nesterov": 1 - 2 / np.sqrt(3 * kappas + 1),
        "radius law gradient descent": (kappas - 1) / (kappas + 1),
        **hidden_curvature(start, config.steps),
    }
    for name in NAMES:
        results |= measure(name, start, kappas, fractions, config)
        results[f"{name} radius"] = smallest_radius(name, kappas, config.grid)
    return results


@functools.partial(jax.jit, static_argnames=("name", "config"))
def measure(
    name: str, start: jax.Array, kappas: jax.Array, fractions: jax.Array, config: Config
) -> dict[str, jax.Array]:
    """One method's path, overshoot and steps, in one program."""
    path = surfaces.trajectory(rule(name), valley(), start, config.steps)
    passed = jnp.max(-path.points * jnp.sign(start)[None], axis=0) / jnp.abs(start)
    return {
        f"{name} path": path.points,
        f"{name} overshoot": jnp.maximum(passed, 0),
        f"{name} steps": steps_to_tolerance(name, kappas, fractions, config.max_steps),
    }


def steps_to_tolerance(
    name: str, kappas: jax.Array, fractions: jax.Array, max_steps: int
) -> jax.Array:
    """Steps at alpha = fraction / h2 and the shared rho, `[kappa, fraction]`."""

    def one(kappa: jax.Array, fraction: jax.Array) -> jax.Array:
        bowl = surfaces.quadratic(jnp.stack([jnp.ones(()), kappa]))
        tx = rule(name, fraction / kappa)
        return surfaces.descend(
            tx, bowl, jnp.ones(2), tolerance=TOLERANCE * kappa, max_steps=max_steps
        ).steps

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(kappas, fractions)


def smallest_radius(name: str, kappas: np.ndarray, points: int) -> np.ndarray:
    """The best worst-case factor per step over alpha and rho (rho = 0 for gradient descent).

    A coordinate of curvature h follows z^2 - b z + c: b = 1 + rho - a, c = rho for momentum, both
    times 1 - a with b = 1 + rho for Nesterov, a = alpha h.
    """
    fractions = np.linspace(0.0, 4.0, 2 * points + 1)[1:-1]
    decays = np.zeros(1) if name == "gradient descent" else 1 - np.geomspace(1, 1e-3, points)

    def radius(a: np.ndarray, rho: np.ndarray) -> np.ndarray:
        c = rho * (1 - a) if name == "nesterov" else rho
        b = (1 + rho) * (1 - a) if name == "nesterov" else 1 + rho - a
        root = np.emath.sqrt(b**2 - 4 * c)
        return np.maximum(np.abs(b + root), np.abs(b - root)) / 2

    a, rho = fractions[:, None], decays[None, :]
    return np.array([np.maximum(radius(a, rho), radius(a / kappa, rho)).min() for kappa in kappas])


@functools.partial(jax.jit, static_argnames="steps")
def hidden_curvature(start: jax.Array, steps: int) -> dict[str, Any]:
    """Nesterov's step minus momentum's from the same point and velocity, against -alpha rho H v."""
    rate, inside = (
        RATES["momentum"],
        optimizers.momentum(RATES["momentum"], decay=DECAY, lr_inside=True),
    )
    path = surfaces.trajectory(inside, valley(), start, steps)
    x, v = path.points[1:], path.updates
    lead = jax.vmap(lambda x, v: optimizers.lookahead_point(x, v, DECAY))(x, v)
    gradient: Callable = jax.vmap(jax.grad(valley()))
    difference = -rate * (gradient(lead) - gradient(x))
    law = -rate * DECAY * v * jnp.array([[1.0, 20.0]])
    newton = start - jnp.linalg.solve(jax.hessian(valley())(start), jax.grad(valley())(start))
    return {
        "curvature_error": jnp.max(jnp.abs(difference - law)) / jnp.max(jnp.abs(law)),
        "calls": gradients_per_step(start),
        "newton_distance": jnp.linalg.norm(newton) / jnp.linalg.norm(start),
    }


def gradients_per_step(start: jax.Array) -> int:
    """How often one step of `nesterov` evaluates the loss; it never asks for a Hessian."""
    calls: list[int] = []

    def counted(x: jax.Array) -> jax.Array:
        calls.append(1)
        return valley()(x)

    tx = rule("nesterov")
    tx.update(jax.grad(counted)(start), tx.init(start), start)
    return len(calls)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-022: smaller overshoot; fewer steps at equal settings; smaller best spectral radius."""
    heavy, ahead = results["momentum overshoot"], results["nesterov overshoot"]
    parts = [
        exact(
            "C-022",
            ahead[0] < heavy[0],
            f"overshoot along the valley {100 * ahead[0]:.0f} % of the start's distance, momentum "
            f"{100 * heavy[0]:.0f} %",
        )
    ]
    for i, kappa in enumerate(results["condition_numbers"]):
        both = results["nesterov steps"][i], results["momentum steps"][i]
        arrived = np.maximum(*both) < results["max_steps"]
        ratio = np.median(both[0][arrived] / both[1][arrived])
        radii = results["nesterov radius"][i], results["momentum radius"][i]
        text = f"kappa {kappa:.0f}: median steps ratio at equal settings {ratio:.3f}"
        parts.append(exact("C-022", ratio < 1, text))
        text = f"tuned factor per step {radii[0]:.3f} against momentum's {radii[1]:.3f}"
        parts.append(exact("C-022", radii[0] < radii[1], text))
    steps = int(results["nesterov steps"][1].min())
    return [
        combine("C-022", parts),
        exact(
            "E-62",
            results["curvature_error"] < 1e-4 and results["calls"] == 1 and steps > 1,
            f"the step differs from momentum's by -alpha rho H v (to "
            f"{results['curvature_error']:.1g}) with {results['calls']} gradient and no Hessian; "
            f"at kappa 100 it needs {steps} steps at its best rate, Newton 1",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's contour, the flat coordinate in time, and both comparisons of speed."""
    fig, (above, flat, steps, radii) = figure(2, 2, width=4.8, height=3.4)
    start = results["momentum path"][0]
    draw_surface(above, results["grid"], start=start, optimum=(0, 0), bar=False)
    kappa = results["condition_numbers"]
    for name in NAMES:
        draw_path(above, results[f"{name} path"], name)
        flat.plot(results[f"{name} path"][:, 0], **method(name))
        arrived = results[f"{name} steps"][1] < results["max_steps"]
        shown = results["fractions"][arrived], results[f"{name} steps"][1][arrived]
        steps.loglog(*shown, marker="o", markersize=3, **method(name))
        radii.loglog(kappa, 1 - results[f"{name} radius"], marker="o", **method(name))
        radii.loglog(kappa, 1 - results[f"radius law {name}"], "k:", linewidth=1, zorder=5)
    above.set_title(rf"rate 0.02, $\rho$ = {DECAY} (redder = lower loss)")
    above.legend(loc="lower right", fontsize=8)
    flat.axhline(0, color="grey", linewidth=0.8)
    flat.set(xlabel="step", ylabel="$w_1$ (flat coordinate)", title="overshoot: above 0")
    steps.set(
        xlabel=r"rate times largest curvature, $\alpha h_2$",
        ylabel=r"steps to $10^{-6}$ of the gradient",
    )
    steps.set_title(rf"same rate, $\rho$ = {DECAY}, $\kappa$ = 100 (runs that arrive)")
    radii.set(xlabel=r"condition number $\kappa$", ylabel="1 − best factor per step")
    radii.set_title(r"both tuned over ($\alpha$, $\rho$); dotted: theory; higher is faster")
    for axes in (flat, steps, radii):
        axes.legend()
    return fig
