"""Does AdaGrad's learning rate decay to zero until it learns nothing, and does RMSProp mend it?

The lecture says so (002:391-397, 003:35-37, 004:215, 004:218-220). Under a constant gradient g the
effective rate is alpha / (|g| sqrt(t)): it tends to 0, but the way covered, about 2 alpha sqrt(t),
has no limit. Here: a constant gradient 1; the same with normal noise of standard deviation 1; and
the descent of the shared valley with that noise. The rate is the notes' 0.01, for 10^5 steps; all
exponents are slopes in log-log over the last decade of steps. If learning stopped, the way's would
be 0, as a planted rate that falls as t^-2 must show. Squares are summed: sums of the gradients
themselves, as 004:215 has it, may be negative and then have no root.

Command: python -m experiments --only does_adagrads_rate_decay_to_nothing      (CPU, about 4 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    demonstration,
    exactly,
    figure,
    interval,
    mean,
    method,
    tolerance,
)
from experiments.lab.scenes import VALLEY_START, valley
from jaxtricks import optimizers
from jaxtricks.optimizers import effective_learning_rate

FIGURES = ("F-030",)
CLAIMS = ("C-028", "C-032")
ERRATA = ("E-69", "E-70")
METHODS = ("adagrad", "rmsprop")


@dataclasses.dataclass(frozen=True)
class Config:
    """Each rule has `steps` updates, a power of 10, at `rate`; RMSProp's `decay` is in [0, 1).

    `noise` is the standard deviation of the gradients' noise, and the valley's descent begins at
    `start`.
    """

    seed: int = 15_028
    seeds: int = 20
    steps: int = 100_000
    rate: float = 0.01
    decay: float = 0.9
    noise: float = 1.0
    start: tuple[float, float] = VALLEY_START


SMOKE = Config(seeds=5, steps=1000)
FULL = Config(seeds=40, steps=1_000_000)
PLANS = {
    "C-028": Plan(
        effects={"exponent": 0.05},
        gates=("pos",),
        settings={"rate": Config.rate, "gradients": "1, and 1 + N(0, 1)"},
    ),
    "C-032": Plan(
        effects={"exponent": 0.02, "AdaGrad's exponents": 0.05},
        gates=("pos",),
        settings={
            "rate": Config.rate,
            "decay": Config.decay,
            "gradients": "1, and valley + N(0, 1)",
        },
    ),
}


def run(config: Config) -> dict[str, Any]:
    """Effective rates and ways at the shown steps, and exponents by seed."""
    shown = np.unique(np.logspace(0, np.log10(config.steps), 60).astype(int))
    return {"shown": shown, "steps": config.steps, "rate": config.rate, **measure(shown, config)}


@functools.partial(jax.jit, static_argnums=1)
def measure(shown: jax.Array, config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    noise_key, valley_key, sign_key = jax.random.split(jax.random.key(config.seed), 3)
    steady = {name: constant_gradient(name, config) for name in METHODS}
    noise = 1 + config.noise * jax.random.normal(noise_key, (config.seeds, config.steps))
    noisy = jax.vmap(lambda gradients: travel("adagrad", gradients, config))(noise)
    keys = jax.random.split(valley_key, config.seeds)
    descent = {
        name: jax.vmap(lambda key, name=name: descend(name, key, config))(keys) for name in METHODS
    }
    signs = jax.random.normal(sign_key, (1000, 1000))
    return {
        "effective": {name: steady[name][0][shown - 1] for name in METHODS},
        "way": {name: steady[name][1][shown - 1] for name in METHODS},
        "rate_exponent": {name: exponent(steady[name][0]) for name in METHODS},
        "way_exponent": exponent(steady["adagrad"][1]),
        "noisy_rate_exponents": jax.vmap(exponent)(noisy[0]),
        "noisy_way_exponents": jax.vmap(exponent)(noisy[1]),
        "valley": {name: descent[name][:, shown - 1] for name in METHODS},
        "valley_exponents": {name: jax.vmap(exponent)(descent[name]) for name in METHODS},
        "planted_way_exponent": exponent(jnp.cumsum(1.0 / jnp.arange(1.0, config.steps + 1) ** 2)),
        "negative_sums": jnp.mean(jnp.cumsum(signs, axis=1) < 0),
    }


def exponent(values: jax.Array) -> jax.Array:
    """Least-squares slope of the logarithms over the last decade of steps."""
    steps = values.shape[-1]
    time = jnp.log(jnp.arange(steps // 10, steps + 1.0))
    time = time - jnp.mean(time)
    return jnp.sum(time * jnp.log(values[steps // 10 - 1 :])) / jnp.sum(time**2)


def make(name: str, config: Config) -> optax.GradientTransformationExtraArgs:
    """The rule."""
    rate, decay = config.rate, config.decay
    return optimizers.adagrad(rate) if name == "adagrad" else optimizers.rmsprop(rate, decay=decay)


def squares(name: str, state: Any) -> jax.Array:
    """AdaGrad's sum or RMSProp's average of the squared gradients."""
    return state[0].sum_of_squares if name == "adagrad" else state[0].nu


def constant_gradient(name: str, config: Config) -> tuple[jax.Array, jax.Array]:
    """Effective rate and way covered after each step, the gradient being 1 throughout."""
    return travel(name, jnp.ones(config.steps), config)


def travel(name: str, gradients: jax.Array, config: Config) -> tuple[jax.Array, jax.Array]:
    """Effective rate and length of the way after each step, whatever is reached."""
    rule = make(name, config)

    def body(carry: Any, gradient: jax.Array) -> Any:
        way, state = carry
        update, state = rule.update(gradient, state)
        way = way + jnp.abs(update)
        return (way, state), (effective_learning_rate(config.rate, squares(name, state)), way)

    return jax.lax.scan(body, (jnp.zeros([]), rule.init(jnp.zeros([]))), gradients)[1]


def descend(name: str, key: jax.Array, config: Config) -> jax.Array:
    """Effective rate of the flat axis at each step of a noisy descent of the valley."""
    rule = make(name, config)

    def body(carry: Any, noise: jax.Array) -> Any:
        x, state = carry
        update, state = rule.update(jax.grad(valley())(x) + noise, state)
        return (x + update, state), effective_learning_rate(config.rate, squares(name, state))[0]

    start = jnp.array(config.start, float)
    noise = config.noise * jax.random.normal(key, (config.steps, 2))
    return jax.lax.scan(body, (start, rule.init(start)), noise)[1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-70: 100 times the steps give 10 times the way. E-69: sums of gradients are often
    negative."""
    way, steps = results["way"]["adagrad"], results["steps"]
    growth = way[-1] / np.interp(steps / 100, results["shown"], way)
    return [
        stops(results),
        mends(results),
        demonstration(
            "E-70",
            bool(abs(growth - 10) < 0.3),
            f"Under a constant gradient AdaGrad has covered {way[-1]:.2f} after {steps} steps "
            f"(2 alpha sqrt(T) = {2 * results['rate'] * steps**0.5:.2f}), {growth:.1f} times the "
            "way of a hundredth of them",
            panel="b",
        ),
        demonstration(
            "E-69",
            bool(results["negative_sums"] > 0.25),
            f"Sums of noisy gradients without the square are negative at "
            f"{100 * results['negative_sums']:.0f} % of the steps, where they have no root",
        ),
    ]


def stops(results: dict[str, Any]) -> Verdict:
    """C-028: the rate falls by the law, and the way comes to an end."""
    within = PLANS["C-028"].effects["exponent"]
    planted = results["planted_way_exponent"]
    slope = mean(results["valley_exponents"]["adagrad"])
    rates = [exactly(results["rate_exponent"]["adagrad"]), mean(results["noisy_rate_exponents"])]
    ways = [exactly(results["way_exponent"]), mean(results["noisy_way_exponents"])]
    return all_of(
        "C-028",
        [
            tolerance("exponent of the rate", rates, within=within, target=-0.5, panel="a"),
            tolerance("exponent of the way travelled", ways, within=within, panel="b"),
        ],
        scope=f"{scope(results)}, the gradient 1, and 1 + N(0, 1)",
        gates=[
            Gate(
                "pos",
                bool(abs(planted) < within),
                f"where the rate falls as t⁻² the way's exponent is {planted:.4f}",
            )
        ],
        beside=[f"exponent of the rate in the noisy valley {slope.value:.3f}"],
    )


def mends(results: dict[str, Any]) -> Verdict:
    """C-032: RMSProp's rate stays as it is, where AdaGrad's falls."""
    effects = PLANS["C-032"].effects
    steady, noisy = results["rate_exponent"], results["valley_exponents"]
    plain, (low, high) = steady["adagrad"], interval(noisy["adagrad"])[1:]
    near = effects["AdaGrad's exponents"]
    found = abs(plain + 0.5) < near and -0.25 - near < low and high < -0.25 + near
    within = effects["exponent"]
    return all_of(
        "C-032",
        [
            tolerance(
                "exponent of RMSProp's rate, constant gradient",
                [exactly(steady["rmsprop"])],
                within=within,
                panel="a",
            ),
            tolerance(
                "exponent of RMSProp's rate, noisy valley",
                [mean(noisy["rmsprop"])],
                within=within,
                panel="c",
            ),
        ],
        scope=f"{scope(results)}; the gradient 1, and a valley of condition number 20 with N(0, 1)",
        gates=[
            Gate(
                "pos",
                bool(found),
                f"AdaGrad's exponents are {plain:.3f} and [{low:.3f}, {high:.3f}]",
            )
        ],
    )


def scope(results: dict[str, Any]) -> str:
    """What both claims share."""
    return f"rate {results['rate']}, {results['steps']} updates, float32"


def draw(results: dict[str, Any]) -> Figure:
    """Effective rate, way covered, and the rates in the noisy valley."""
    fig, (rates, way, noisy) = figure(1, 3, height=4.6)
    for name in METHODS:
        rates.loglog(results["shown"], results["effective"][name], **method(name))
        way.loglog(results["shown"], results["way"][name], **method(name))
    law = 2 * results["rate"] * np.sqrt(results["shown"])
    way.loglog(results["shown"], law, "k:", label=r"law $2 \alpha \sqrt{t}$")
    rates.set(xlabel="step", ylabel="effective rate", title="Gradient 1 throughout")
    way.set(xlabel="step", ylabel="way covered", title="Its way: slower, without limit")
    draw_valley(noisy, results)
    for axes in (rates, way, noisy):
        axes.legend()
    return fig


def draw_valley(axes: Axes, results: dict[str, Any]) -> None:
    """The flat axis' rates, mean and 95 % of all seeds."""
    for name in METHODS:
        values = np.array([interval(column) for column in results["valley"][name].T]).T
        band(axes, results["shown"], *values, **method(name))
    seeds = len(results["valley"]["adagrad"])
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="effective rate, flat axis")
    axes.set_title(f"Noisy valley, mean and 95 % of {seeds} seeds")
