"""Does AdaGrad's learning rate decay to zero until it learns nothing, and does RMSProp mend it?

The lecture says so (002:391-397, 003:35-37, 004:215, 004:218-220). Under a constant gradient the
effective rate is alpha / (|g| sqrt(t)): it tends to 0, but the way covered, about 2 alpha sqrt(t),
has no limit. Then a race of 10^5 steps on the valley with gradient noise of standard deviation 1,
from the shared start, both rules tuned on one grid of rates, and also at the notes' rate 0.01; and
the same for starts that are farther away. Squares are summed: sums of the gradients
themselves, as 004:215 has it, are negative about half of the time and have no root. (The grid first
began at 0.001, which was RMSProp's best rate: a best rate at the edge is not tuned, so the grid
was carried down to 0.0001 and made twice as fine before the verdict was taken.)

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

from experiments.engine import band, figure, interval, method
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.scenes import valley
from jaxtricks import optimizers
from jaxtricks.optimizers import effective_learning_rate

FIGURES = ("F-030",)
CLAIMS = ("C-028", "C-032")
ERRATA = ("E-69", "E-70")
METHODS = ("adagrad", "rmsprop")
NOTES_RATE = 0.01


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: a power of 10; `rates`: the tuning grid; `distances`: of the start, in lengths of
    the shared one."""

    seeds: int = 5
    steps: int = 100_000
    rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
    distances: tuple[float, ...] = (1.0, 10.0, 100.0)


SMOKE = Config(steps=1000, rates=(1e-2, 1.0), distances=(1.0, 100.0))
FULL = Config(seeds=10, steps=1_000_000, distances=(1.0,))


def run(config: Config) -> dict[str, Any]:
    """Effective rates and way under a constant gradient, and the noisy race."""
    shown = np.unique(np.logspace(0, np.log10(config.steps), 60).astype(int))
    return {"shown": shown, "steps": config.steps, **measure(shown, config)}


@functools.partial(jax.jit, static_argnames="config")
def measure(shown: jax.Array, config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    steady = {name: constant_gradient(name, config.steps) for name in METHODS}
    rates = jnp.array(config.rates)
    distances = jnp.array(config.distances)
    keys = jax.random.split(jax.random.key(0), config.seeds)
    race = {name: compete(name, keys, distances, rates, config.steps) for name in METHODS}
    noise = jax.random.normal(jax.random.key(1), (1000, 1000))
    return {
        "effective": {name: steady[name][0][shown - 1] for name in METHODS},
        "way": {name: steady[name][1][shown - 1] for name in METHODS},
        "negative_sums": jnp.mean(jnp.cumsum(noise, axis=1) < 0),
        "rates": rates,
        "distances": distances,
        "loss": {name: race[name][0] for name in METHODS},
        "noisy_slope": {name: race[name][1] for name in METHODS},
    }


def make(name: str, rate: jax.Array | float) -> optax.GradientTransformationExtraArgs:
    """The rule; with RMSProp's usual decay 0.9."""
    return {"adagrad": optimizers.adagrad, "rmsprop": optimizers.rmsprop}[name](rate)


def squares(name: str, state: Any) -> jax.Array:
    """AdaGrad's sum or RMSProp's average of the squared gradients."""
    return state[0].sum_of_squares if name == "adagrad" else state[0].nu


def constant_gradient(name: str, steps: int) -> tuple[jax.Array, jax.Array]:
    """Effective rate and way covered after each step, the gradient being 1 throughout."""
    rule = make(name, NOTES_RATE)

    def body(carry: Any, _: None) -> Any:
        way, state = carry
        update, state = rule.update(jnp.ones([]), state)
        way = way - update
        return (way, state), (effective_learning_rate(NOTES_RATE, squares(name, state)), way)

    first = (jnp.zeros([]), rule.init(jnp.zeros([])))
    return jax.lax.scan(body, first, length=steps)[1]


def compete(
    name: str, keys: jax.Array, distances: jax.Array, rates: jax.Array, steps: int
) -> tuple[jax.Array, jax.Array]:
    """Loss and slope by [rate, distance, seed]; the noise is the same for all but the seeds."""

    def one(rate: jax.Array, distance: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return descend_noisily(name, key, distance, rate, steps)

    per_seed = jax.vmap(one, (None, None, 0))
    per_distance = jax.vmap(per_seed, (None, 0, None))
    return jax.vmap(per_distance, (0, None, None))(rates, distances, keys)


def descend_noisily(
    name: str, key: jax.Array, distance: jax.Array, rate: jax.Array, steps: int
) -> tuple[jax.Array, jax.Array]:
    """Mean loss of the last tenth, and slope of log rate on log step from the first tenth to it."""
    rule = make(name, rate)

    def body(carry: Any, noise: jax.Array) -> Any:
        x, state = carry
        loss, gradient = jax.value_and_grad(valley())(x)
        update, state = rule.update(gradient + noise, state)
        effective = effective_learning_rate(rate, squares(name, state))[0]
        return (x + update, state), (loss, jnp.log(effective))

    start = distance * jnp.array(valley().start, float)
    noise = jax.random.normal(key, (steps, 2))
    losses, logs = jax.lax.scan(body, (start, rule.init(start)), noise)[1]
    tenth, width = steps // 10, steps // 100
    rise = jnp.mean(logs[-width:]) - jnp.mean(logs[tenth : tenth + width])
    return jnp.mean(losses[-tenth:]), rise / jnp.log(10.0)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-028: slope -1/2, and a larger loss than RMSProp's at the end. C-032: slope 0 with and
    without noise. E-70: the way grows by 10 when the steps grow by 100. E-69: sums of gradients are
    negative at more than a quarter of the steps."""
    slope = {name: end_slope(results["shown"], results["effective"][name]) for name in METHODS}
    at_notes = int(np.argmin(np.abs(results["rates"] - NOTES_RATE)))
    noisy = {name: results["noisy_slope"][name][at_notes, 0] for name in METHODS}
    mean, low, high = interval(noisy["rmsprop"])
    way = results["way"]["adagrad"]
    growth = way[-1] / np.interp(results["steps"] / 100, results["shown"], way)
    return [
        combine("C-028", [decays(slope["adagrad"]), stops(results, at_notes)]),
        exact(
            "C-032",
            abs(slope["rmsprop"]) < 0.01 and max(abs(low), abs(high)) < 0.02,
            f"slope of RMSProp's log rate on log step over the last decade: {slope['rmsprop']:.4f} "
            f"under a constant gradient, {mean:.4f} [{low:.4f}, {high:.4f}] with noise; AdaGrad "
            f"{slope['adagrad']:.3f} and {noisy['adagrad'].mean():.3f}",
        ),
        exact(
            "E-70",
            abs(growth - 10) < 0.3,
            f"way under a constant gradient 1 at rate 0.01: {way[-1]:.2f} after "
            f"{results['steps']} steps (law 2 alpha sqrt(T) = "
            f"{2 * NOTES_RATE * results['steps'] ** 0.5:.2f}), {growth:.2f} times the way after a "
            "hundredth of them: slower and slower, but without limit",
        ),
        exact(
            "E-69",
            results["negative_sums"] > 0.25,
            f"sums of noisy gradients without the square are negative at "
            f"{100 * results['negative_sums']:.0f} % of the steps, where no root exists; sums of "
            "squares at none",
        ),
    ]


def decays(slope: float) -> Verdict:
    """First part of C-028."""
    text = f"effective rate under a constant gradient: slope {slope:.3f} in log-log"
    return exact("C-028", abs(slope + 0.5) < 0.01, text)


def stops(results: dict[str, Any], at_notes: int) -> Verdict:
    """Second part of C-028: both at their best rate, from the shared start."""
    loss = {name: results["loss"][name][:, 0] for name in METHODS}
    best = {name: loss[name][np.argmin(loss[name].mean(axis=1))] for name in METHODS}
    at_notes_gap = np.log10(loss["adagrad"][at_notes] / loss["rmsprop"][at_notes]).mean()
    return paired(
        "C-028",
        np.log10(best["adagrad"] / best["rmsprop"]),
        f"it stops, that is, ends above RMSProp: log10 of AdaGrad's over RMSProp's loss after "
        f"{results['steps']} noisy steps ({at_notes_gap:.2f} at the notes' rate 0.01), both tuned",
        claimed="positive",
    )


def end_slope(steps: np.ndarray, rates: np.ndarray) -> float:
    """Slope of log rate against log step over the last decade."""
    last = steps >= steps[-1] / 10
    return float(np.polyfit(np.log(steps[last]), np.log(rates[last]), 1)[0])


def draw(results: dict[str, Any]) -> Figure:
    """Effective rate, way covered, and the loss at the end against the distance of the start."""
    fig, (rates, way, race) = figure(1, 3, width=4.4, height=3.6)
    for name in METHODS:
        rates.loglog(results["shown"], results["effective"][name], **method(name))
        way.loglog(results["shown"], results["way"][name], **method(name))
    law = 2 * NOTES_RATE * np.sqrt(results["shown"])
    way.loglog(results["shown"], law, "k:", label=r"law $2 \alpha \sqrt{t}$")
    rates.set(xlabel="step", ylabel="effective rate")
    rates.set_title("gradient 1 throughout, rate 0.01")
    rates.legend()
    way.set(xlabel="step", ylabel="way covered")
    way.set_title("slower and slower, without limit")
    way.legend()
    draw_race(race, results)
    return fig


def draw_race(axes: Axes, results: dict[str, Any]) -> None:
    """Solid: the best rate at that distance. Dotted: the notes' rate."""
    at_notes = int(np.argmin(np.abs(results["rates"] - NOTES_RATE)))
    for name in METHODS:
        loss, look = results["loss"][name], method(name)
        tuned = loss[np.argmin(loss.mean(axis=2), axis=0), np.arange(loss.shape[1])]
        for values, style in ((tuned, "-"), (loss[at_notes], ":")):
            mean, low, high = np.array([interval(row) for row in values]).T
            label = f"{name}, " + ("tuned" if style == "-" else "rate 0.01")
            axes.plot(results["distances"], mean, "o", ms=4, color=look["color"])
            band(
                axes, results["distances"], mean, low, high,
                color=look["color"], linestyle=style, label=label,
            )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="distance of the start, 1 = the shared one")
    axes.set_ylabel("mean loss of the last tenth")
    seeds = results["loss"]["adagrad"].shape[2]
    axes.set_title(f"noise, {results['steps']} steps, mean and 95 %, {seeds} seeds")
    axes.legend()
