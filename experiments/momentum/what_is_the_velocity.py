"""What is the velocity: the last gradient, the average of the gradients, or their decayed sum?

004:91-108 writes v_t = -eta sum_j rho^(t-j) g_j; 002:243 and 004:108 call it a moving average;
001:14 calls z_k the previous gradient. On one path of momentum over the turned valley, in float64,
v is compared with that sum (tolerance 1e-12 of the largest velocity) and with the last gradient
alone. Under a constant gradient, where every average is that gradient, v is compared with the
moving average by optax.ema with bias correction: the words mean a ratio of 1, to 1 %. As controls,
a sum whose powers are too high by one must be told from v, and the damped velocity, which is
(1 - rho) v, must have the ratio 1.

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

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    exactly,
    figure,
    ordered,
    tolerance,
)
from experiments.lab.scenes import RATES, ROTATED_START, rotated_valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-037",)
CLAIMS = ("C-014", "C-020")
ERRATA = ("E-58", "E-59")


@dataclasses.dataclass(frozen=True)
class Config:
    """Each of `decays` is a rho in [0, 1), with 0.9 and 0.99 last. The path over the valley has
    `steps` at `rate` from `start`; the constant gradient has `constant_steps`.
    """

    decays: tuple[float, ...] = (0.5, 0.9, 0.99)
    steps: int = 100
    constant_steps: int = 1500
    rate: float = RATES["momentum"]
    start: tuple[float, float] = ROTATED_START


SMOKE = Config(steps=50)
FULL = Config(steps=1000, constant_steps=10_000)
PLANS = {
    "C-014": Plan(effects={"ratio": 0.01}, gates=("pos",), settings={"rate": Config.rate}),
    "C-020": Plan(effects={"relative": 1e-12}, gates=("pos",), settings={"rate": Config.rate}),
}


def run(config: Config) -> dict[str, Any]:
    """Velocity, sum and average along one path per rho, and under a constant gradient."""
    shown = np.unique(np.geomspace(1, config.constant_steps, 60).astype(int))
    results = {"decays": config.decays, "rate": config.rate, "shown": shown}
    with jax.enable_x64(True):
        return results | measure(config, tuple(shown - 1))


@functools.partial(jax.jit, static_argnames=("config", "shown"))
def measure(config: Config, shown: tuple[int, ...]) -> dict[str, jax.Array]:
    """All numbers, in one program."""
    decays = jnp.array(config.decays)
    start, rate = jnp.array(config.start), config.rate

    def one(decay: jax.Array) -> dict[str, jax.Array]:
        inside = optimizers.momentum(rate, decay=decay, lr_inside=True)
        path = surfaces.trajectory(inside, rotated_valley(), start, config.steps)
        velocity, gradients = path.updates, path.gradients
        age = jnp.arange(config.steps)[:, None] - jnp.arange(config.steps)[None, :]
        weights = jnp.where(age >= 0, decay ** jnp.maximum(age, 0), 0.0)
        total = jnp.sum(weights, axis=1, keepdims=True)
        largest = jnp.max(jnp.abs(velocity))
        average = moving_average(decay, gradients)
        late = decay * weights @ gradients
        return {
            "weights": weights[-1][-40:] * rate,
            "sum_error": jnp.max(jnp.abs(velocity + rate * weights @ gradients), 1) / largest,
            "wrong_error": jnp.max(jnp.abs(velocity + rate * late)) / largest,
            "average_error": jnp.max(jnp.abs(velocity + rate * total * average), 1) / largest,
            "last_error": jnp.max(jnp.abs(velocity + rate * gradients), 1) / largest,
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
    """The sum to 1e-12, the average to 1 %; the printed readings must be clearly off."""
    decays, ratio = results["decays"], results["ratio"][:, -1]
    ratio_within = PLANS["C-014"].effects["ratio"]
    sum_within = PLANS["C-020"].effects["relative"]
    summed, last = results["sum_error"].max(axis=1), results["last_error"].max(axis=1)
    damped = max(abs((1 - decay) * found - 1) for decay, found in zip(decays, ratio, strict=True))
    wrong = results["wrong_error"].min()
    nine, ninety_nine = -2, -1
    rhos = ", ".join(f"{decay:g}" for decay in decays)
    scope = f"momentum at rho = {rhos}, float64; no data, no random number"
    average = tolerance(
        "velocity over moving average under a constant gradient",
        [exactly(found) for found in ratio],
        within=ratio_within,
        target=1.0,
        panel="c",
    )
    identity = tolerance(
        "difference of the recursion and the weighted sum over the largest velocity",
        [exactly(error) for error in summed],
        within=sum_within,
        panel="b",
    )
    control = Gate(
        "pos",
        damped < ratio_within,
        f"the damped velocity over the average is 1 to {damped:.1g} at every rho",
    )
    powers = Gate(
        "pos",
        wrong > sum_within,
        f"with every power too high by one the sum is off by {wrong:.2g} or more",
    )
    beside = [
        f"at rho = {decay:g} the ratio is {found:.4g}, where 1/(1 - rho) is {1 / (1 - decay):.4g} "
        "(E-59)"
        for decay, found in zip(decays, ratio, strict=True)
    ]
    beside.append(
        f"divided by the sum of its weights, the velocity of the valley's path is the average to "
        f"{results['average_error'].max():.1g} of the largest velocity"
    )
    steps = results["sum_error"].shape[1]
    return [
        all_of(
            "C-014",
            [average],
            scope=f"constant gradient of 1, {results['shown'][-1]} steps, {scope}",
            gates=[control],
            beside=beside,
        ),
        all_of(
            "C-020",
            [identity],
            scope=f"turned valley, 2 parameters, {steps} steps at rate {results['rate']}, {scope}",
            gates=[powers],
        ),
        demonstration(
            "E-58",
            bool(last[nine] > 0.01 and summed.max() < sum_within),
            f"read as the last gradient alone, the velocity is wrong by up to "
            f"{100 * last[nine]:.0f} % of its largest value at rho = 0.9; the last gradient has "
            f"{100 * results['last_weight'][nine]:.1f} % of the weight",
            panel="b",
        ),
        demonstration(
            "E-59",
            bool(abs(ratio[nine] - 10) < 0.01 and abs(ratio[ninety_nine] - 100) < 0.1),
            f"under a constant gradient of 1 the velocity tends to {ratio[nine]:.4g} (rho = 0.9) "
            f"and {ratio[ninety_nine]:.4g} (0.99), the average to 1",
            panel="c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The weights, the identity's error, and the sum over the average."""
    fig, (weights, errors, ratios) = figure(1, 3, height=4.6)
    age = np.arange(results["weights"].shape[1])[::-1]
    for i, decay in enumerate(results["decays"]):
        look = {"color": ordered("decay", decay), "label": rf"$\rho$ = {decay:g}"}
        weights.plot(age, results["weights"][i], ".-", linewidth=0.8, **look)
        errors.semilogy(np.maximum(results["sum_error"][i], 1e-18), **look)
        errors.semilogy(results["last_error"][i], color=look["color"], linestyle=":")
        ratios.loglog(results["shown"], results["ratio"][i], **look)
        ratios.axhline(1 / (1 - decay), color=look["color"], linestyle=":", linewidth=0.8)
    weights.set(xlabel="age of the gradient, $t - j$ (steps)", ylabel=r"weight $\eta \rho^{t-j}$")
    weights.set_title(rf"what the velocity remembers, $\eta$ = {results['rate']}")
    errors.set(xlabel="step", ylabel="difference / largest velocity", ylim=(1e-18, 1e1))
    errors.set_title("from the sum; dotted: from the last gradient")
    ratios.set(xlabel="step", ylabel="velocity / moving average", ylim=(0.8, 2500))
    ratios.set_title(r"constant gradient; dotted: $1/(1-\rho)$")
    weights.legend(loc="center right")
    errors.legend(loc="center right")
    ratios.legend(loc="upper left")
    return fig
