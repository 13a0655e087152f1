"""Does momentum smooth the zig-zag of a badly scaled regression on real images?

The three panels of 004:165-180. Two features of every image, with their mean removed: the ink (mean
grey in percent) and the spread of the ink across the columns (pixels); the target is whether the
digit is a 1, mean removed. The pictures of the paths are full batch: gradient descent has its best
rate 2 / (h1 + h2), momentum and Nesterov 0.4 / h2, rho = 0.9. C-024 is judged with mini-batches:
root mean square velocity over that of the gradient, along each axis of the valley. It is
1 / sqrt(1 - rho^2) = 2.29 for unrelated gradients, less if they cancel ("vertical", the steep axis)
and up to 10 if they accumulate ("horizontal", the flat one). As a control each run's gradients are
shuffled and given random signs, so that they are unrelated: both axes must read 2.29.

Command: python -m experiments --only does_momentum_smooth_real_data      (CPU, about 4 s)
"""

import dataclasses
import functools
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
    data_name,
    draw_path,
    draw_surface,
    figure,
    interval,
    paired,
    surface_grid,
)
from experiments.lab.digit_table import read_images
from experiments.lab.scenes import DECAY, rule, weights
from jaxtricks import data, optimizers, surfaces

FIGURES = ("F-028",)
CLAIMS = ("C-024",)

NAMES = ("gradient descent", "momentum", "nesterov")


@dataclasses.dataclass(frozen=True)
class Config:
    """There are `count` images; full-batch paths have `steps`, of which `warm_up` are not averaged.

    Momentum and Nesterov have the rate `share` over the largest curvature, from 0 to 1, and the
    momentum `decay`, from 0 to under 1. The start lies twice the optimum's length away from it
    along the flat axis, and `turn` times as far along the steep one. The rest is of the mini-batch
    runs.
    """

    count: int = 2000
    steps: int = 40
    warm_up: int = 5
    batch_size: int = 64
    batch_steps: int = 200
    seeds: int = 20
    seed: int = 35_024
    share: float = 0.4
    decay: float = DECAY
    turn: float = 0.5


SMOKE = Config(count=500, batch_steps=50, seeds=5)
FULL = Config(count=60_000, seeds=100)
PLANS = {
    "C-024": Plan(
        effects={"ratio": 0.2},
        gates=("pos",),
        settings={"rho": Config.decay, "rate times h2": Config.share, "start": Config.turn},
        revised="fresh seeds: shuffling alone keeps the gradients' mean, so the control gives them "
        "random signs",
    )
}


def run(config: Config) -> dict[str, Any]:
    """Paths on the raw and the standardised features, and both axes' velocities."""
    raw, target, name = features(config.count)
    scaled = data.standardize(raw).apply(raw)
    results: dict[str, Any] = {"data_set": name, "examples": len(raw), "warm_up": config.warm_up}
    results["decay"] = config.decay
    for kind, inputs in (("raw", jnp.asarray(raw, jnp.float32)), ("standardised", scaled)):
        found = jax.device_get(paths(inputs, target, config))
        found["grid"] = grid_of(found["curvatures"], found["optimum"], found["momentum path"][0])
        results |= {f"{kind} {key}": value for key, value in found.items()}
    return results | mini_batches(jnp.asarray(raw, jnp.float32), target, config)


def features(count: int) -> tuple[np.ndarray, jax.Array, str]:
    """Spread and ink of every image, and whether it is a 1; all with mean 0."""
    images, labels, name = read_images(count)
    columns = images.sum(axis=1)
    place = np.arange(images.shape[2])
    middle = columns @ place / columns.sum(axis=1)
    spread = np.sqrt(np.sum(columns * (place - middle[:, None]) ** 2, axis=1) / columns.sum(axis=1))
    table = np.stack([spread, 100 * images.mean(axis=(1, 2))], axis=1)
    target = (labels == 1).astype(float)
    return table - table.mean(axis=0), jnp.asarray(target - target.mean(), jnp.float32), name


def axes_of(inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Curvatures of the squared error, flat first, and their directions as columns."""
    return jnp.linalg.eigh(inputs.T @ inputs / len(inputs))


@functools.partial(jax.jit, static_argnames="config")
def paths(inputs: jax.Array, target: jax.Array, config: Config) -> dict[str, Any]:
    """Full-batch paths of the three rules in the coordinates of the valley's axes."""
    curvatures, directions = axes_of(inputs)
    surface = surfaces.least_squares(inputs @ directions, target)
    start = surface.optimum + jnp.array([-1.0, config.turn]) * jnp.linalg.norm(surface.optimum) * 2
    results: dict[str, Any] = {"curvatures": curvatures, "optimum": surface.optimum}
    for name in NAMES:
        best = 2 / jnp.sum(curvatures)
        rate = best if name == "gradient descent" else config.share / curvatures[-1]
        tx = rule(name, rate, decay=config.decay)
        path = surfaces.trajectory(tx, surface, start, config.steps)
        steep = path.updates[:, 1] / jnp.abs(start - surface.optimum)[1]
        results |= {
            f"{name} path": path.points,
            f"{name} amplitude": jnp.mean(jnp.abs(steep[config.warm_up :])),
            f"{name} reversals": jnp.mean(steep[1:] * steep[:-1] < 0),
        }
    return results


def grid_of(
    curvatures: np.ndarray, optimum: np.ndarray, start: np.ndarray
) -> dict[str, np.ndarray]:
    """The loss above its minimum in a square window around the optimum."""
    half = 1.15 * np.abs(start - optimum).max()
    view = [(float(centre - half), float(centre + half)) for centre in optimum]

    def excess(w: jax.Array) -> jax.Array:
        return 0.5 * jnp.sum(curvatures * (w - optimum) ** 2)

    return surface_grid(excess, view, points=41)


@functools.partial(jax.jit, static_argnames="config")
def mini_batches(inputs: jax.Array, target: jax.Array, config: Config) -> dict[str, Any]:
    """Velocity over gradient along both axes, `[seed]`, as they are and made unrelated."""
    curvatures, directions = axes_of(inputs)
    turned = inputs @ directions
    optimum = surfaces.least_squares(turned, target).optimum
    start = optimum + jnp.array([-1.0, config.turn]) * jnp.linalg.norm(optimum) * 2
    tx = optimizers.scale_by_momentum(config.decay)

    def loss(key: jax.Array, theta: jax.Array) -> jax.Array:
        rows = jax.random.randint(key, (config.batch_size,), 0, len(target))
        return 0.5 * jnp.mean((turned[rows] @ theta - target[rows]) ** 2)

    def ratio(gradients: jax.Array) -> jax.Array:
        velocity = follow(tx, gradients)
        return jnp.sqrt(jnp.mean(velocity**2, axis=0) / jnp.mean(gradients**2, axis=0))

    def one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        run, order, sign = jax.random.split(key, 3)
        moving = rule("momentum", config.share / curvatures[-1], decay=config.decay)
        path = surfaces.trajectory(moving, loss, start, config.batch_steps, key=run)
        shuffled = jax.random.permutation(order, path.gradients)
        signs = jax.random.rademacher(sign, (config.batch_steps, 1), jnp.float32)
        return ratio(path.gradients), ratio(shuffled * signs)

    found, unrelated = jax.vmap(one)(jax.random.split(jax.random.key(config.seed), config.seeds))
    return {
        "ratio flat": found[:, 0],
        "ratio steep": found[:, 1],
        "unrelated flat": unrelated[:, 0],
        "unrelated steep": unrelated[:, 1],
        "batch": (config.batch_size, config.batch_steps),
    }


def follow(tx: Any, gradients: jax.Array) -> jax.Array:
    """The velocities along a sequence of gradients."""

    def body(state: Any, gradient: jax.Array) -> tuple[Any, jax.Array]:
        velocity, state = tx.update(gradient, state)
        return state, velocity

    return jax.lax.scan(body, tx.init(gradients[0]), gradients)[1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Steep below the ratio of unrelated gradients, flat above it."""
    effect = PLANS["C-024"].effects["ratio"]
    flat, steep = results["ratio flat"], results["ratio steep"]
    unrelated = 1 / np.sqrt(1 - results["decay"] ** 2)
    text = "rms velocity over rms gradient along the {} axis, minus " + f"{unrelated:.2f}"
    parts = [
        paired(text.format("steep"), steep - unrelated, effect=effect, claimed="down", panel="d"),
        paired(text.format("flat"), flat - unrelated, effect=effect, claimed="up", panel="d"),
    ]
    control = [float(np.mean(results[f"unrelated {axis}"])) for axis in ("steep", "flat")]
    gate = Gate(
        "pos",
        all(abs(value - unrelated) < effect for value in control),
        f"shuffled gradients with random signs give {control[0]:.2f} across and {control[1]:.2f} "
        f"along, {unrelated:.2f} by theory",
    )
    beside = [
        f"full batch, mean step across after {results['warm_up']} steps, in percent of the "
        f"start's distance, {kind} features: "
        + ", ".join(f"{name} {100 * results[f'{kind} {name} amplitude']:.2g}" for name in NAMES)
        for kind in ("raw", "standardised")
    ]
    batch, steps = results["batch"]
    scope = (
        f"{data_name(results['data_set'])}, {results['examples']} images, linear regression on 2 "
        f"raw features (2 parameters), {steps} updates of batch {batch}, rho = {results['decay']}, "
        "float32"
    )
    return [all_of("C-024", parts, scope=scope, gates=[gate], beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Three rules on the raw features, and both axes' velocities."""
    fig, axes = figure(2, 2, width=5.8, height=4.2)
    paths = {
        name: weights(name, results[f"raw {name} path"], decay=results["decay"]) for name in NAMES
    }
    view = window(list(paths.values()))
    for panel, (name, path) in zip(axes, paths.items(), strict=False):
        draw_one(panel, results, name, path, view)
    draw_ratios(axes[3], results)
    return fig


def window(paths: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner of what all paths cover, with a margin."""
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    return low - 0.12 * (high - low), high + 0.12 * (high - low)


def draw_ratios(axes: Axes, results: dict[str, Any]) -> None:
    """Every seed, and the mean with its interval."""
    kinds = ("ratio steep", "ratio flat", "unrelated steep", "unrelated flat")
    highest = max(np.max(results[kind]) for kind in kinds)
    for at, kind in enumerate(kinds):
        colour, values = COLOURS[at % 2], np.asarray(results[kind])
        mean, low, high = interval(values)
        axes.plot(np.full(len(values), at), values, "o", color=colour, alpha=0.3)
        axes.errorbar(
            at + 0.2, mean, [[mean - low], [high - mean]], fmt="s", color=colour, capsize=4
        )
    unrelated = 1 / np.sqrt(1 - results["decay"] ** 2)
    axes.axhline(unrelated, color="grey", linestyle=":")
    axes.text(
        0.5, unrelated, f"unrelated: {unrelated:.2f}", va="bottom", ha="center", fontsize=10.5
    )
    names = ("across\n(steep)", "along\n(flat)", "across,\nshuffled", "along,\nshuffled")
    axes.set_xticks(range(4), names)
    axes.set(ylabel="rms velocity / rms gradient", ylim=(0, 1.1 * highest), xlim=(-0.5, 3.6))
    axes.set_title(
        f"{data_name(results['data_set'])}, batch {results['batch'][0]}: {len(values)} seeds, "
        "mean and 95 %"
    )


def draw_one(
    axes: Axes,
    results: dict[str, Any],
    name: str,
    path: np.ndarray,
    view: tuple[np.ndarray, np.ndarray],
) -> None:
    """One path in the view of all; the optimum may lie far to its right."""
    curvatures, optimum = results["raw curvatures"], results["raw optimum"]
    names = ("weight along the flat axis", "weight along the steep axis")
    draw_surface(axes, results["raw grid"], start=path[0], optimum=optimum, names=names, bar=False)
    draw_path(axes, path, name)
    for line in axes.lines[-2:]:
        line.set_linewidth(0.6 * line.get_linewidth())
    (left, bottom), (right, top) = view
    axes.set(xlim=(left, right), ylim=(bottom, top))
    if optimum[0] > right:
        axes.lines[1].set_label(f"optimum, at {optimum[0]:.2f} →")
    kappa = curvatures[1] / curvatures[0]
    axes.set_title(rf"{name}, {len(path) - 1} steps, full batch, $\kappa={kappa:.0f}$")
    axes.legend(handles=axes.lines[:2], loc="lower right")
