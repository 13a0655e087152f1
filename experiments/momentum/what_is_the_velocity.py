"""What is the velocity: the last gradient, the average of the gradients, or their decayed sum?

004:91-108 writes v_t = -eta sum_j rho^(t-j) g_j; 002:243 and 004:108 call it a moving average;
001:14 calls z_k the previous gradient. Measured on one path of momentum over the turned valley, in
float64: v against the sum (tolerance 1e-12 of the largest velocity); v / sum of the weights
against the average by optax.ema with bias correction; and v against the last gradient alone.

Command: python -m experiments --only what_is_the_velocity      (CPU, about 1 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure
from experiments.engine.before import Verdict, exact
from experiments.scenes import RATES, rotated_valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-037",)
CLAIMS = ("C-014", "C-020")
ERRATA = ("E-58", "E-59")

RATE, TOLERANCE = RATES["momentum"], 1e-12


@dataclasses.dataclass(frozen=True)
class Config:
    """`decays`: rho, with 0.9 and 0.99 last; `constant_steps`: of the constant gradient."""

    decays: tuple[float, ...] = (0.5, 0.9, 0.99)
    steps: int = 100
    constant_steps: int = 1500


SMOKE = Config(steps=50)
FULL = Config(steps=1000, constant_steps=10_000)


def run(config: Config) -> dict[str, Any]:
    """Velocity, sum and average along one path per rho, and under a constant gradient."""
    shown = np.unique(np.geomspace(1, config.constant_steps, 60).astype(int))
    results = {"decays": config.decays, "rate": RATE, "shown": shown}
    with jax.enable_x64(True):
        return results | measure(config, tuple(shown - 1))


@functools.partial(jax.jit, static_argnames=("config", "shown"))
def measure(config: Config, shown: tuple[int, ...]) -> dict[str, jax.Array]:
    """All numbers, in one program."""
    decays = jnp.array(config.decays)
    start = jnp.array(rotated_valley().start)

    def one(decay: jax.Array) -> dict[str, jax.Array]:
        inside = optimizers.momentum(RATE, decay=decay, lr_inside=True)
        path = surfaces.trajectory(inside, rotated_valley(), start, config.steps)
        velocity, gradients = path.updates, path.gradients
        age = jnp.arange(config.steps)[:, None] - jnp.arange(config.steps)[None, :]
        weights = jnp.where(age >= 0, decay ** jnp.maximum(age, 0), 0.0)
        total = jnp.sum(weights, axis=1, keepdims=True)
        largest = jnp.max(jnp.abs(velocity))
        average = moving_average(decay, gradients)
        return {
            "weights": weights[-1][-40:] * RATE,
            "sum_error": jnp.max(jnp.abs(velocity + RATE * weights @ gradients), 1) / largest,
            "average_error": jnp.max(jnp.abs(velocity + RATE * total * average), 1) / largest,
            "last_error": jnp.max(jnp.abs(velocity + RATE * gradients), 1) / largest,
            "last_weight": 1 / total[-1, 0],
        }

    def constant(decay: jax.Array) -> jax.Array:
        gradients = jnp.ones((config.constant_steps, 1))
        rule = optimizers.scale_by_momentum(decay)
        return follow(rule, gradients)[:, 0] / moving_average(decay, gradients)[:, 0]

    ratio = jax.vmap(constant)(decays)
    return jax.vmap(one)(decays) | {"ratio": ratio[:, np.array(shown)]}


def follow(rule: optax.GradientTransformation, gradients: jax.Array) -> jax.Array:
    """What the rule makes of a sequence of gradients."""

    def body(state: Any, gradient: jax.Array) -> tuple[Any, jax.Array]:
        update, state = rule.update(gradient, state)
        return state, update

    return jax.lax.scan(body, rule.init(gradients[0]), gradients)[1]


def moving_average(decay: jax.Array, gradients: jax.Array) -> jax.Array:
    """The exponential moving average with bias correction, by optax."""
    return follow(optax.ema(decay, debias=True), gradients)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Identities to 1e-12; the readings as last gradient and as average must be clearly off."""
    summed, average = results["sum_error"].max(), results["average_error"].max()
    last, ratio = results["last_error"].max(axis=1), results["ratio"][:, -1]
    weight = results["last_weight"]
    nine, ninety_nine = -2, -1
    return [
        exact(
            "C-014",
            average < TOLERANCE,
            f"velocity / sum of its weights differs from the moving average by {average:.1g} of "
            f"the largest velocity; the velocity itself is {ratio[nine]:.4g} times the average at "
            f"0.9 and {ratio[ninety_nine]:.4g} times at 0.99 (E-59)",
        ),
        exact(
            "C-020",
            summed < TOLERANCE,
            f"recursion and weighted sum differ by {summed:.1g} of the largest velocity",
        ),
        exact(
            "E-58",
            last[nine] > 0.01 and summed < TOLERANCE,
            f"read as the last gradient alone, the velocity is wrong by up to "
            f"{100 * last[nine]:.0f} % of its largest value at 0.9; the last gradient has "
            f"{100 * weight[nine]:.1f} % of the weight at 0.9, {100 * weight[ninety_nine]:.1f} % "
            "at 0.99",
        ),
        exact(
            "E-59",
            abs(ratio[nine] - 10) < 0.01 and abs(ratio[ninety_nine] - 100) < 0.1,
            f"under a constant gradient of 1 the velocity tends to {ratio[nine]:.4g} (0.9) and "
            f"{ratio[ninety_nine]:.4g} (0.99), the average to 1",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The weights, the identity's error, and the sum over the average."""
    fig, (weights, errors, ratios) = figure(1, 3, width=4.2)
    age = np.arange(results["weights"].shape[1])[::-1]
    for i, decay in enumerate(results["decays"]):
        look = {"color": COLOURS[i], "label": rf"$\rho$ = {decay:g}"}
        weights.plot(age, results["weights"][i], ".-", linewidth=0.8, **look)
        errors.semilogy(np.maximum(results["sum_error"][i], 1e-18), **look)
        errors.semilogy(results["last_error"][i], color=COLOURS[i], linestyle=":")
        ratios.loglog(results["shown"], results["ratio"][i], **look)
        ratios.axhline(1 / (1 - decay), color=COLOURS[i], linestyle=":", linewidth=0.8)
    weights.set(xlabel="age of the gradient, $t - j$ (steps)", ylabel=r"weight $\eta \rho^{t-j}$")
    weights.set(title=rf"what the velocity remembers, $\eta$ = {results['rate']}")
    errors.set(xlabel="step", ylabel="difference / largest velocity", ylim=(1e-18, 1e1))
    errors.set_title("solid: from the weighted sum\ndotted: from the last gradient alone")
    ratios.set(xlabel="step", ylabel="velocity / moving average", ylim=(0.8, 700))
    ratios.set_title("constant gradient: not an average\n" r"(dotted: $1/(1-\rho)$)")
    weights.legend(loc="center right")
    errors.legend(loc="center right")
    ratios.legend(loc="upper left")
    return fig
