r"""Does one lambda mean one penalty?

The notes write L2 with the half (002:656) and without (002:636, 664; 004:668), and add the penalty
to the mean of the examples' losses (002:628) or to their sum (004:665). E-22: gradient descent on
the penalty alone, where the weight left after t steps has a closed form, (1 - alpha lambda)^t with
the half and (1 - 2 alpha lambda)^t without. E-23: ridge regression, whose minimum one Newton step
reaches, on N examples: with lambda beside the sum, with the same lambda beside the mean, and with
lambda / N there, which must give the sum's weights (1e-9); the largest stable learning rate, 2
over the largest curvature, is compared too. All in float64.

Command: python -m experiments --only does_one_strength_mean_one_penalty      (CPU, about 5 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, Verdict, demonstration, figure
from jaxtricks import optimizers, regularizers, surfaces

ERRATA = ("E-22", "E-23")
TIER = 2

REDUCTIONS = {"sum": jnp.sum, "mean": jnp.mean}
EXACT, CLEAR = 1e-9, 0.01


@dataclasses.dataclass(frozen=True)
class Config:
    """The descent on the penalty alone has `steps` at this `rate` and `strength`.

    `examples`: N of the ridge regressions, the last as many as MNIST has; `strengths`: theirs, as
    powers of ten from the first to the second, so many; `advised`: a usual one, beside the sum.
    """

    steps: int = 30
    rate: float = 0.1
    strength: float = 0.2
    advised: float = 1e-4
    examples: tuple[int, ...] = (100, 60_000)
    features: int = 5
    strengths: tuple[float, float, int] = (-8.0, 8.0, 65)
    seed: int = 15_023


SMOKE = Config(steps=10, strengths=(-8.0, 8.0, 9))
FULL = Config(features=50)


def run(config: Config) -> dict[str, Any]:
    """The weight of the descent, and the ridge's weights by N and reduction."""
    with jax.enable_x64(True):
        strengths = jnp.logspace(*config.strengths)
        ridges = [ridge(config, examples, strengths) for examples in config.examples]
        return {
            "shrunk": {str(half): shrink(config, half) for half in (True, False)},
            "rate": config.rate,
            "strength": config.strength,
            "strengths": strengths,
            "examples": config.examples,
            "advised": config.advised,
            "converted": regularizers.strength_for_mean(config.advised, config.examples[-1]),
            "ridges": ridges,
        }


def shrink(config: Config, half: bool) -> jax.Array:
    """A weight of 1 under gradient descent on its L2 penalty: before every step and at the end."""

    def loss(w: jax.Array) -> jax.Array:
        return regularizers.l2(w, config.strength, half=half)

    descent = optimizers.gradient_descent(config.rate)
    return surfaces.trajectory(descent, loss, jnp.ones(1), config.steps).points[:, 0]


@functools.partial(jax.jit, static_argnames=("config", "examples"))
def ridge(config: Config, examples: int, strengths: jax.Array) -> dict[str, Any]:
    """Length of the weights by reduction, over that without penalty, and what lambda / N gives."""
    key = jax.random.fold_in(jax.random.key(config.seed), examples)
    input_key, noise_key = jax.random.split(key)
    inputs = jax.random.normal(input_key, (examples, config.features))
    targets = jnp.sum(inputs, axis=1) + jax.random.normal(noise_key, (examples,))
    zero = jnp.zeros(config.features)

    def minimum(strength: jax.Array, gradient: jax.Array, hessian: jax.Array) -> jax.Array:
        def penalty(w: jax.Array) -> jax.Array:
            return regularizers.l2(w, strength)

        return -jnp.linalg.solve(hessian + jax.hessian(penalty)(zero), gradient)

    over_strengths = jax.vmap(minimum, (0, None, None))
    beside, rates, terms = {}, {}, {}
    for name, reduce in REDUCTIONS.items():

        def loss(w: jax.Array, reduce: Any = reduce) -> jax.Array:
            return reduce((inputs @ w - targets) ** 2) / 2

        terms[name] = jax.grad(loss)(zero), jax.hessian(loss)(zero)
        beside[name] = over_strengths(strengths, *terms[name])
        rates[name] = 2 / jnp.linalg.eigvalsh(terms[name][1])[-1]
    means = regularizers.strength_for_mean(strengths, examples)
    converted = over_strengths(means, *terms["mean"])
    free = minimum(jnp.zeros(()), *terms["mean"])
    size = jnp.linalg.norm(free)
    return {
        "length": {n: jnp.linalg.norm(w, axis=1) / size for n, w in beside.items()},
        "apart": jnp.max(jnp.linalg.norm(beside["mean"] - beside["sum"], axis=1)) / size,
        "converted apart": jnp.max(jnp.linalg.norm(converted - beside["sum"], axis=1)) / size,
        "rates": rates,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Both errata: the same lambda gives something else, the converted one the same."""
    left = {half: np.asarray(values) for half, values in results["shrunk"].items()}
    count, rate, strength = np.arange(len(left["True"])), results["rate"], results["strength"]
    laws = {"True": (1 - rate * strength) ** count, "False": (1 - 2 * rate * strength) ** count}
    off = max(float(np.abs(left[half] - laws[half]).max()) for half in laws)
    lost = {half: 1 - values[1] for half, values in left.items()}
    last, n = results["ridges"][-1], results["examples"][-1]
    agree = max(found["converted apart"] for found in results["ridges"])
    apart = min(found["apart"] for found in results["ridges"])
    # the digits that a record keeps
    exact = bool(off < 1e-6 and abs(lost["False"] - 2 * lost["True"]) < 1e-6)
    return [
        demonstration(
            "E-22",
            exact,
            f"at rate {rate} and lambda {strength} a step takes {100 * lost['True']:.3g} % of the "
            f"weight with the half and {100 * lost['False']:.3g} % without; after {count[-1]} "
            f"steps {left['True'][-1]:.3g} and {left['False'][-1]:.3g} of it are left",
            panel="a",
        ),
        demonstration(
            "E-23",
            bool(agree < EXACT and apart > CLEAR),
            f"N = {n:,.0f}: weights with one lambda beside sum and mean are up to "
            f"{last['apart']:.2g} of their length apart, with lambda / N to {agree:.0e}; "
            f"{results['advised']:g} becomes {results['converted']:.3g}, the largest stable rate "
            f"{last['rates']['mean'] / last['rates']['sum']:,.0f} times as large",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """What is left of a weight, and the ridge's weights against lambda."""
    fig, (shrunk, lengths) = figure(1, 2, width=5.8, height=4.4)
    looks = {
        "True": (RIGHT, "-", r"$\frac{\lambda}{2} w^2$"),
        "False": (LITERAL, "--", r"$\lambda w^2$"),
    }
    for half, (colour, style, label) in looks.items():
        shrunk.plot(results["shrunk"][half], color=colour, ls=style, label=label)
    shrunk.set(xlabel="step", ylabel="weight, 1 at the start", ylim=(0, 1.03))
    shrunk.set_title(rf"penalty alone, rate {results['rate']}, $\lambda = {results['strength']}$")
    shrunk.legend()
    for i, (examples, found) in enumerate(zip(results["examples"], results["ridges"], strict=True)):
        for name, style in (("sum", "--"), ("mean", "-")):
            look = {"color": COLOURS[i], "ls": style, "label": f"{name}, N = {examples:,.0f}"}
            lengths.semilogx(results["strengths"], found["length"][name], **look)
    lengths.set(xlabel=r"$\lambda$", ylabel="length / without penalty")
    lengths.set_title("ridge weights, penalty beside sum or mean")
    lengths.legend(loc="lower left")
    return fig
