"""Does momentum 0.78 make the start gentler and the end nearer the optimum on the banana?

The lecture's pictures (001:15-18) are Goh's demonstration: 150 steps at rate 0.003 from
(-1.21, 0.853), with momentum off and at 0.78. It says that without momentum the first updates are
irregular and sharp and the global optimum is not found. A reversal is a step that makes an obtuse
angle with the one before it; "the start" is the first 30 steps; found is a distance below 0.01.
Judged at 150 steps and at `long_steps`, because the claim is about finding, not about 150 steps.

Command: python -m experiments --only does_momentum_tame_the_banana      (CPU, about 2 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, draw_path, draw_surface, figure, method, surface_grid
from experiments.engine.before import Verdict, combine, exact
from jaxtricks import optimizers, surfaces

FIGURES = ("F-001", "F-002")
CLAIMS = ("C-016", "C-017")
ERRATA = ("E-57",)

RATE, STEPS, EARLY, FOUND = 0.003, 150, 30, 0.01


@dataclasses.dataclass(frozen=True)
class Config:
    """`decays`: beta, with 0 first and 0.78 third; `long_steps`: of the runs that go on."""

    decays: tuple[float, ...] = (0.0, 0.5, 0.78, 0.9, 0.98)
    long_steps: int = 10_000


SMOKE = Config()
FULL = Config(long_steps=100_000)


def run(config: Config) -> dict[str, Any]:
    """The paths of 150 steps for every beta, and how they go on, in float64."""
    with jax.enable_x64(True):
        return {"grid": surface_grid(surfaces.banana(), points=81), **measure(config)}


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    surface = surfaces.banana()
    decays = jnp.array(config.decays)

    def paths(decay: jax.Array) -> surfaces.Trajectory:
        rule = optimizers.momentum(RATE, decay=decay)
        return surfaces.trajectory(rule, surface, surface.start, STEPS)

    def goes_on(decay: jax.Array) -> surfaces.Descent:
        rule = optimizers.momentum(RATE, decay=decay)
        return surfaces.descend(
            rule, surface, surface.start, tolerance=1e-13, max_steps=config.long_steps
        )

    path = jax.vmap(paths)(decays)
    later = jax.vmap(goes_on)(decays)
    steps = path.updates
    lengths = jnp.linalg.norm(steps, axis=-1)
    cosines = jnp.sum(steps[:, 1:] * steps[:, :-1], -1) / (lengths[:, 1:] * lengths[:, :-1])
    last_gradient = jax.vmap(jax.grad(surface))(path.points[:, -1])
    return {
        "decays": config.decays,
        "points": path.points,
        "losses": path.losses,
        "reversals": jnp.sum(cosines < 0, axis=1),
        "reversals_early": jnp.sum(cosines[:, : EARLY - 1] < 0, axis=1),
        "turn_early": jnp.degrees(jnp.mean(jnp.arccos(cosines[:, : EARLY - 1]), axis=1)),
        "distance": jnp.linalg.norm(path.points[:, -1] - surface.optimum[None], axis=-1),
        "gradient_norm": jnp.linalg.norm(last_gradient, axis=-1),
        "long_steps": config.long_steps,
        "distance_later": jnp.linalg.norm(later.point - surface.optimum[None], axis=-1),
        "loss_later": later.loss,
        "steps_later": later.steps,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-016: sharper and not found, at both horizons; C-017: gentler and nearer than beta = 0."""
    reversals, turn = results["reversals_early"], results["turn_early"]
    near, late = results["distance"], results["distance_later"]
    sharp = exact(
        "C-016",
        reversals[0] > reversals[2] and turn[0] > turn[2],
        f"without momentum {reversals[0]} of the first {EARLY} steps reverse and the mean turn is "
        f"{turn[0]:.0f} degrees, with 0.78 {reversals[2]} and {turn[2]:.0f}",
    )
    short = exact("C-016", near[0] > FOUND, f"distance {near[0]:.3f} after {STEPS} steps")
    goes_on = exact(
        "C-016", late[0] > FOUND, f"distance {late[0]:.2g} after {results['long_steps']} steps"
    )
    gentler = exact(
        "C-017",
        reversals[2] < reversals[0] and turn[2] < turn[0],
        f"beta 0.78 reverses {reversals[2]} times in {EARLY} steps (0: {reversals[0]}), mean turn "
        f"{turn[2]:.0f} degrees (0: {turn[0]:.0f})",
    )
    nearer = exact(
        "C-017",
        near[2] < near[0],
        f"after {STEPS} steps it is {near[2]:.3f} from the minimum (0: {near[0]:.3f})",
    )
    unfinished = exact(
        "E-57",
        results["gradient_norm"][0] > 0.1 and results["loss_later"][0] < 1e-20,
        f"the picture's end point without momentum has gradient norm "
        f"{results['gradient_norm'][0]:.3g}: no minimum; going on for "
        f"{results['steps_later'][0]:.0f} steps gives loss {results['loss_later'][0]:.2g} "
        "at the function's only minimum",
    )
    return [
        combine("C-016", [sharp, short, goes_on]),
        combine("C-017", [gentler, nearer]),
        unfinished,
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's view for every beta, and the loss."""
    fig, axes = figure(2, 3, width=4.4, height=3.2)
    order = (0, 2, 1, 3, 4)
    for place, i in zip((0, 1, 3, 4, 5), order, strict=True):
        draw_one(axes[place], results, i)
    for i, decay in enumerate(results["decays"]):
        colour = method("gradient descent")["color"] if decay == 0 else COLOURS[i]
        axes[2].semilogy(results["losses"][i], color=colour, label=rf"$\beta$ = {decay:g}")
    axes[2].set(xlabel="step", ylabel="loss (minimum 0)", title="loss at each point")
    axes[2].legend(loc="lower left")
    fig.suptitle(
        f"Goh's banana, {STEPS} steps at rate {RATE}, their reversals and the last distance to the "
        "optimum; redder = lower loss (logarithm)"
    )
    return fig


def draw_one(axes: Axes, results: dict[str, Any], i: int) -> None:
    draw_surface(
        axes,
        results["grid"],
        start=results["points"][i, 0],
        optimum=(1, 1 / 3),
        logarithmic=True,
        names=("$x$", "$y$"),
        bar=False,
    )
    name = "gradient descent" if results["decays"][i] == 0 else "momentum"
    draw_path(axes, results["points"][i], name)
    axes.set_title(
        rf"$\beta$ = {results['decays'][i]:g}: {results['reversals'][i]} reversals, "
        f"ends {results['distance'][i]:.2g} away"
    )
    axes.set_ylim(bottom=min(results["grid"]["y"][0], 1.1 * results["points"][i, :, 1].min()))
    if i in (0, 2):
        axes.legend(loc="upper center")
