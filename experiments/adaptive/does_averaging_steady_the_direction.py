"""Does a decayed sum of noisy gradients steady the direction?

The lecture gives this as the point of Adam's first moment and of momentum (003:41). A quadratic in
100 dimensions, condition number 20; to each gradient normal noise is added, in each coordinate 0.1
to 10 times as large as the root mean square of the start's gradient. Plain gradient descent, at
half of its largest stable rate, draws a path of 200 points. At these points the gradients are
drawn again and again with fresh noise, and summed with decay. The metric is the mean angle between
the updates of two such redraws at the same point: a steady direction has a small one. Beside it is
the cosine of the update with the true gradient, which a steady direction may well miss.

Command: python -m experiments --only does_averaging_steady_the_direction      (CPU, about 3 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    figure,
    interval,
    ordered,
    paired,
)
from jaxtricks import surfaces
from jaxtricks.optimizers import gradient_descent

CLAIMS = ("C-036",)
JUDGED_DECAY, JUDGED_NOISES = 0.9, (1.0, 10.0)


@dataclasses.dataclass(frozen=True)
class Config:
    """The quadratic has `dimensions` and curvatures from 1 to `condition_number`; the path has
    `steps` at `rate`, by default half of its largest stable one, 2 / condition number.

    At each point the noise is drawn `redraws` times, each of `noises` in gradients of the start,
    and summed with each of `decays`, from 0 to under 1.
    """

    seed: int = 15_036
    seeds: int = 20
    steps: int = 200
    redraws: int = 4
    decays: tuple[float, ...] = (0.0, 0.5, 0.9, 0.99)
    noises: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
    dimensions: int = 100
    condition_number: float = 20.0
    rate: float = 0.05


SMOKE = Config(seeds=10, steps=50, redraws=2, decays=(0.0, 0.9), noises=(0.0, 1.0, 10.0))
FULL = Config(seeds=100, redraws=16)
PLANS = {
    "C-036": Plan(
        effects={"degrees": 5.0, "degrees without noise": 0.1},
        gates=("pos",),
        settings={"decay": JUDGED_DECAY, "noises": JUDGED_NOISES, "rate": Config.rate},
    )
}


def run(config: Config) -> dict[str, Any]:
    """Angles between redraws and cosines to the gradient, by noise, seed and decay."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    per_seed = jax.vmap(lambda noise, key: measure(noise, key, config), (None, 0))
    per_noise = jax.jit(jax.vmap(per_seed, (0, None)))
    angles, cosines = per_noise(jnp.array(config.noises), keys)
    return {
        "angles": angles,
        "cosines": cosines,
        "decays": config.decays,
        "noises": config.noises,
        "steps": config.steps,
        "dimensions": config.dimensions,
        "condition_number": config.condition_number,
        "rate": config.rate,
    }


def measure(noise: jax.Array, key: jax.Array, config: Config) -> tuple[jax.Array, jax.Array]:
    """Mean angle and cosine for each decay, on one seed's path."""
    bowl = surfaces.quadratic(np.logspace(0, np.log10(config.condition_number), config.dimensions))
    start_key, path_key, redraw_key = jax.random.split(key, 3)
    start = jax.random.normal(start_key, (config.dimensions,))
    size = noise * jnp.linalg.norm(jax.grad(bowl.loss)(start)) / config.dimensions**0.5
    noisy = surfaces.with_gradient_noise(bowl, size**2)
    rule = gradient_descent(config.rate)
    path = surfaces.trajectory(rule, noisy, start, config.steps, key=path_key)
    true = jax.vmap(jax.grad(bowl.loss))(path.points[:-1])
    true = jnp.expand_dims(true, 0)
    shape = (config.redraws, *true.shape[1:])
    drawn = true + size * jax.random.normal(redraw_key, shape)

    def one(decay: jax.Array) -> tuple[jax.Array, jax.Array]:
        sums = jax.vmap(lambda gradients: decayed_sum(gradients, decay))(drawn)
        between = angle(sums, jnp.roll(sums, 1, axis=0))
        return jnp.mean(between), jnp.mean(jnp.cos(jnp.radians(angle(sums, true))))

    return jax.vmap(one)(jnp.array(config.decays))


def decayed_sum(gradients: jax.Array, decay: jax.Array) -> jax.Array:
    """Of the gradients up to each step, [step, dimension]."""

    def body(total: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
        total = decay * total + gradient
        return total, total

    return jax.lax.scan(body, jnp.zeros_like(gradients[0]), gradients)[1]


def angle(first: jax.Array, second: jax.Array) -> jax.Array:
    """Between vectors on the last axis, in degrees; exact for small angles too."""

    def unit(vectors: jax.Array) -> jax.Array:
        return vectors / jnp.maximum(jnp.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)

    first, second = unit(first), unit(second)
    apart = jnp.linalg.norm(first - second, axis=-1)
    return jnp.degrees(2 * jnp.arctan2(apart, jnp.linalg.norm(first + second, axis=-1)))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-036: at decay 0.9 the angle is smaller than without, at noise 1 and at noise 10."""
    effects = PLANS["C-036"].effects
    decays, noises = list(results["decays"]), list(results["noises"])
    plain, summed = decays.index(0.0), decays.index(JUDGED_DECAY)
    change = results["angles"][..., summed] - results["angles"][..., plain]
    cosine = results["cosines"].mean(axis=1)
    still = float(np.abs(change[noises.index(0.0)]).max())
    return [
        all_of(
            "C-036",
            [
                paired(
                    f"degrees between two redraws' updates at noise {noise:g}, with decay 0.9 "
                    "minus without",
                    change[noises.index(noise)],
                    effect=effects["degrees"],
                    claimed="down",
                    panel="a",
                )
                for noise in JUDGED_NOISES
            ],
            scope=f"a quadratic in {results['dimensions']} dimensions, condition number "
            f"{results['condition_number']:g}, {results['steps']} points of gradient descent at "
            f"rate {results['rate']:g}, float32",
            gates=[
                Gate(
                    "pos",
                    still < effects["degrees without noise"],
                    f"without noise the angle changes by at most {still:.2g} degrees",
                )
            ],
            beside=[
                f"noise {noise:g}: cosine of update and true gradient "
                f"{cosine[noises.index(noise), summed]:.3f} with decay 0.9, "
                f"{cosine[noises.index(noise), plain]:.3f} without"
                for noise in JUDGED_NOISES
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The angle and the cosine against the noise, a line for each decay."""
    fig, panels = figure(1, 2, width=5.6, height=4.4)
    for axes, values in zip(panels, (results["angles"], results["cosines"]), strict=True):
        for i, decay in enumerate(results["decays"]):
            mean, low, high = np.array([interval(row) for row in values[..., i]]).T
            style = {
                "color": ordered("decay", decay),
                "label": f"decay {decay:g}",
                "marker": "os^D"[i],
            }
            band(axes, results["noises"], mean, low, high, **style)
        axes.set_xscale("symlog", linthresh=0.1)
        axes.set_xticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
        axes.set_xlabel("noise / gradient of the start")
    seeds = results["angles"].shape[1]
    panels[0].set(
        ylabel="angle between them / degrees",
        title=f"Updates of two redraws ({seeds} seeds, mean and 95 %)",
    )
    panels[1].set(ylabel="cosine of their angle", title="Update and true gradient")
    panels[0].legend(loc="lower right")
    return fig
