"""Does a decayed sum of noisy gradients steady the direction?

The lecture gives this as the point of Adam's first moment and of momentum (003:41). A quadratic in
100 dimensions, condition number 20; to each gradient noise is added, 0 to 10 times as large as the
root mean square of the start's gradient. The metric is the cosine of the update with the true
gradient at the point, mean of 200 steps; the rate over (1 - decay) is the same for all decays. The
claim is judged at decay 0.9 for noise as large as the gradient (1) and larger (10). A first
protocol had that rate at 0.02 only and refuted the claim. As the sign may depend on how far the
gradient turns within the average's window, there are now three rates, each a part of the claim.

Command: python -m experiments --only does_averaging_steady_the_direction      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, figure, interval
from experiments.engine.before import Verdict, combine, paired
from jaxtricks import surfaces
from jaxtricks.optimizers import momentum

CLAIMS = ("C-036",)
DIMENSIONS = 100
JUDGED_DECAY = 0.9


@dataclasses.dataclass(frozen=True)
class Config:
    """`noises`: standard deviation over the start's gradient; `rates`: over (1 - decay)."""

    seeds: int = 20
    steps: int = 200
    decays: tuple[float, ...] = (0.0, 0.5, 0.9, 0.99)
    noises: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
    rates: tuple[float, ...] = (0.0002, 0.002, 0.02)


SMOKE = Config(seeds=10, steps=50, decays=(0.0, 0.9), noises=(1.0, 10.0), rates=(0.002, 0.02))
FULL = Config(seeds=200, steps=200)


def run(config: Config) -> dict[str, Any]:
    """Cosines by rate, decay, noise and seed; the noise is the same for all rates and decays."""
    bowl = surfaces.quadratic(np.logspace(0, np.log10(20), DIMENSIONS))

    def one(rate: jax.Array, decay: jax.Array, noise: jax.Array, key: jax.Array) -> jax.Array:
        start_key, noise_key = jax.random.split(key)
        start = jax.random.normal(start_key, (DIMENSIONS,))
        size = noise * jnp.linalg.norm(jax.grad(bowl.loss)(start)) / DIMENSIONS**0.5
        noisy = surfaces.with_gradient_noise(bowl, size**2)
        rule = momentum(rate * (1 - decay), decay=decay)
        path = surfaces.trajectory(rule, noisy, start, config.steps, key=noise_key)
        true = jax.vmap(jax.grad(bowl.loss))(path.points[:-1])
        lengths = jnp.linalg.norm(true, axis=1) * jnp.linalg.norm(path.updates, axis=1)
        return jnp.mean(-jnp.sum(true * path.updates, axis=1) / jnp.maximum(lengths, 1e-30))

    keys = jax.random.split(jax.random.key(0), config.seeds)
    per_seed = jax.vmap(one, (None, None, None, 0))
    per_noise = jax.vmap(per_seed, (None, None, 0, None))
    per_decay = jax.vmap(per_noise, (None, 0, None, None))
    per_rate = jax.jit(jax.vmap(per_decay, (0, None, None, None)))
    settings = (jnp.array(config.rates), jnp.array(config.decays), jnp.array(config.noises))
    return {
        "cosine": per_rate(*settings, keys),
        "rates": config.rates,
        "decays": config.decays,
        "noises": config.noises,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The cosine at decay 0.9 must exceed that at decay 0, at noise 1 and 10, at every rate."""
    decays, noises = list(results["decays"]), list(results["noises"])
    parts = []
    for rate, cosine in zip(results["rates"], results["cosine"], strict=True):
        base, judged = cosine[decays.index(0.0)], cosine[decays.index(JUDGED_DECAY)]
        for noise in (1.0, 10.0):
            i = noises.index(noise)
            text = f"rate {rate:g}, noise {noise:g} ({base[i].mean():.3f} without)"
            parts.append(paired("C-036", judged[i] - base[i], text, claimed="positive"))
    text = "; ".join(part.measured.rsplit(",", 1)[0] for part in parts)
    seeds = results["cosine"].shape[-1]
    what = f"what decay 0.9 adds to the cosine of update and true gradient, {seeds} seeds"
    return [combine("C-036", parts, f"{what}: {text}")]


def draw(results: dict[str, Any]) -> Figure:
    """The cosine against the noise, a panel for each rate, a line for each decay."""
    fig, panels = figure(1, len(results["rates"]), width=3.9, height=3.5, sharey=True)
    for axes, rate, cosine in zip(panels, results["rates"], results["cosine"], strict=True):
        for i, decay in enumerate(results["decays"]):
            mean, low, high = np.array([interval(row) for row in cosine[i]]).T
            style = {"color": COLOURS[i], "label": f"decay {decay:g}", "marker": "o"}
            band(axes, results["noises"], mean, low, high, **style)
        axes.set_xscale("symlog", linthresh=0.1)
        axes.set(xlabel="noise / gradient of the start", title=f"rate / (1 − decay) = {rate:g}")
    seeds = results["cosine"].shape[-1]
    panels[0].set_ylabel("cosine of update and true gradient")
    panels[0].text(0.03, 0.03, f"mean of {seeds} seeds, band: 95 %", transform=panels[0].transAxes)
    panels[-1].legend(loc="upper right")
    return fig
