"""Does AdaGrad divide by the root of its cache, and is the cache a sum?

003:33 divides by the *square* of the cache; 002:354 and 004:203 by its root (E-03). 003:41 calls
AdaGrad's cache an exponential sum; 003:33 and 002:353 add up all squares for ever (E-45): a cache
that forgets is RMSProp's. First the shared valley at AdaGrad's shared rate, 200 steps, dividing by
the root, the cache and its square. Then the step under a constant gradient of 1: 1 / sqrt(t) of a
sum, in the end 1 of an average.

Command: python -m experiments --only does_adagrad_divide_by_the_root      (CPU, about 2 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, Verdict, demonstration, figure, method
from experiments.lab.scenes import DECAY, RATES, valley
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-03", "E-45")
DIVISORS = {"root": 0.5, "cache": 1.0, "square": 2.0}


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: on the valley, at this `rate`; `long`: under the constant gradient.

    `decay`: of the cache that forgets, from 0 to under 1.
    """

    rate: float = RATES["adagrad"]
    decay: float = DECAY
    steps: int = 200
    long: int = 1000


SMOKE = Config(steps=50, long=100)
FULL = Config(long=100_000)


def divide_by_power(rate: float, power: float) -> optax.GradientTransformation:
    """w = w - alpha g / (cache^power + 1e-7): the root is 1/2, the note's "square" is 2."""

    def update(g: jax.Array, r: jax.Array, params: object = None) -> tuple[jax.Array, jax.Array]:
        r = r + g * g
        return -rate * g / (r**power + 1e-7), r

    return optax.GradientTransformation(jnp.zeros_like, update)


def exponential_cache(decay: float) -> optax.GradientTransformation:
    """003:41 read literally: AdaGrad's rule with an exponential sum of the squares."""

    def update(g: jax.Array, r: jax.Array, params: object = None) -> tuple[jax.Array, jax.Array]:
        r = decay * r + (1 - decay) * g * g
        return g / (jnp.sqrt(r) + 1e-7), r

    return optax.GradientTransformation(jnp.zeros_like, update)


def run(config: Config) -> dict[str, Any]:
    """Losses by divisor, and the steps of both caches under a gradient of 1."""
    count = np.unique(np.geomspace(1, config.long, 100).astype(int))
    with jax.enable_x64(True):
        losses, ours, steps = measure(count, config)
    return {
        "loss": {name: losses[name] for name in DIVISORS},  # jit sorts the keys
        "ours": ours,
        "count": count,
        "steps": steps,
        "rate": config.rate,
        "decay": config.decay,
    }


@functools.partial(jax.jit, static_argnames="config")
def measure(count: jax.Array, config: Config) -> tuple[dict, jax.Array, dict]:
    """Losses by divisor, those of our rule, and the steps at the counts, in one program."""
    start, rate = jnp.array(valley().start, jnp.float64), config.rate
    losses = {
        name: surfaces.trajectory(divide_by_power(rate, power), valley(), start, config.steps)
        for name, power in DIVISORS.items()
    }
    ours = surfaces.trajectory(optimizers.adagrad(rate), valley(), start, config.steps)
    rules = {
        "sum": optimizers.scale_by_adagrad(),
        "average": optimizers.scale_by_rmsprop(config.decay),
        "printed_average": exponential_cache(config.decay),
    }
    steps = {name: unit_steps(tx, config.long)[count - 1] for name, tx in rules.items()}
    return {name: path.losses for name, path in losses.items()}, ours.losses, steps


def unit_steps(tx: optax.GradientTransformation, count: int) -> jax.Array:
    def body(state: Any, gradient: jax.Array) -> Any:
        step, state = tx.update(gradient, state)
        return state, step

    return jax.lax.scan(body, tx.init(jnp.zeros(())), jnp.ones(count))[1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-03: the root falls 1000 times, the square keeps over half the loss, and ours is the root.

    E-45: at the end the sum's step is under a tenth of the average's, and the exponential cache's
    is RMSProp's (both to 1e-6).
    """
    loss, steps = results["loss"], results["steps"]
    root, cache, square = (loss[name][-1] for name in DIVISORS)
    same = np.allclose(results["ours"], loss["root"], rtol=1e-6)
    stuck = square > loss["square"][0] / 2
    total, average = steps["sum"][-1], steps["average"][-1]
    is_rmsprop = np.allclose(steps["average"], steps["printed_average"], rtol=1e-6)
    return [
        demonstration(
            "E-03",
            same and stuck and root < loss["root"][0] / 1000,
            f"loss {loss['root'][0]:.4g} after {len(loss['root']) - 1} steps: divided by the root "
            f"{root:.2g}, by the cache {cache:.4g}, by its square {square:.4g}",
            panel="a",
        ),
        demonstration(
            "E-45",
            is_rmsprop and total < average / 10,
            f"gradient 1, step {results['count'][-1]}: sum of squares {total:.4g} times the rate "
            f"(adagrad), exponential average {average:.4g} (the same as rmsprop)",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Losses by divisor; steps by kind of cache."""
    fig, (valley, steps) = figure(1, 2, height=4.7)
    looks = ((RIGHT, "-"), (COLOURS[4], ":"), (LITERAL, "--"))
    names = ("root of the cache", "the cache itself", "its square (printed)")
    for curve, (colour, line), name in zip(results["loss"].values(), looks, names, strict=True):
        label = f"{name}: {curve[-1]:.2g}"
        valley.semilogy(np.maximum(curve, 1e-40), color=colour, linestyle=line, label=label)
    valley.set(xlabel="step", ylabel="loss on the valley")
    valley.set_title(f"what divides the gradient, rate {results['rate']}")
    valley.legend(title="loss at the end", title_fontsize=10.5, loc="lower left")
    count = results["count"]
    for kind, name in (("average", "rmsprop"), ("sum", "adagrad")):
        look = method(name) | {"label": f"{kind}: {name}"}
        steps.loglog(count, results["steps"][kind], **look)
    steps.loglog(count, 1 / np.sqrt(count), "k:", label=r"law $1 / \sqrt{t}$")
    steps.set(xlabel="step $t$", ylabel="step / learning rate, gradient 1")
    steps.set_title(f"sum or average ({results['decay']}) of the squares")
    steps.legend()
    return fig
