"""Does scaling by the root of the squares make the steps of large and small gradients alike?

The lecture says that it does (003:41), and that the cache is "certainly positive" (003:33). Each
of 25 coordinates has its own constant gradient, 1e-6 to 1; the step of each after 100 updates,
over the largest one's. Epsilon stands outside the root, 1e-7 (notes 002 and 003), or inside, 1e-6
(note 004). A coordinate whose gradient is always 0 has a cache of 0: without epsilon its step is
0 / 0. Alike: the largest step is less than 10 times the smallest, the gradients differing by 1e6.

Command: python -m experiments --only does_scaling_equalise_the_steps      (CPU, about 2 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import figure, method
from experiments.engine.before import Verdict, exact
from jaxtricks import optimizers

CLAIMS = ("C-035",)
ERRATA = ("E-87",)
NON_FINITE = ("never_updated_literally",)
METHODS = ("gradient descent", "adagrad", "rmsprop", "adam")
PLACES = {"outside, 1e-7": (1e-7, False), "inside, 1e-6": (1e-6, True)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`decades`: range of the gradients, up to 1; `steps`: updates before the step is read."""

    decades: int = 6
    points: int = 25
    steps: int = 100


SMOKE = Config(points=7, steps=20)
FULL = Config(points=61, steps=10_000)


def run(config: Config) -> dict[str, Any]:
    """Relative steps by method and place of epsilon; the step of a weight never updated."""
    found = measure(config)
    steps = {place: found["steps"][place] for place in PLACES}  # jit sorts the keys
    return {**found, "steps": steps}


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    gradients = jnp.logspace(-config.decades, 0, config.points)
    zero = jnp.zeros(1)
    plain = optimizers.gradient_descent(1.0)
    safe = optimizers.adagrad(0.01, eps=1e-7)
    return {
        "gradients": gradients,
        "steps": {
            place: {name: step(make(name, *where), gradients, config.steps) for name in METHODS}
            for place, where in PLACES.items()
        },
        "plain": step(plain, gradients, config.steps),
        "never_updated_literally": 0.01 * zero / jnp.sqrt(zero),
        "never_updated": safe.update(zero, safe.init(zero))[0],
        "cache": optax.tree.get(safe.update(zero, safe.init(zero))[1], "sum_of_squares"),
    }


def make(name: str, eps: float, eps_inside: bool) -> optax.GradientTransformation:
    """The rule at rate 1 with epsilon where it is said; gradient descent has none."""
    makers = {
        "gradient descent": optimizers.gradient_descent(1.0),
        "adagrad": optimizers.adagrad(1.0, eps=eps, eps_inside=eps_inside),
        "rmsprop": optimizers.rmsprop(1.0, eps=eps, eps_inside=eps_inside),
        "adam": optimizers.adam(1.0, eps=eps, eps_inside=eps_inside),
    }
    return makers[name]


def step(tx: optax.GradientTransformation, gradients: jax.Array, steps: int) -> jax.Array:
    """Size of the last of `steps` updates, over that of the largest gradient."""

    def body(state: Any, _: None) -> Any:
        update, state = tx.update(gradients, state)
        return state, update

    sizes = jnp.abs(jax.lax.scan(body, tx.init(gradients), length=steps)[1][-1])
    return sizes / sizes[-1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-035: with epsilon outside. E-87: 0 / 0 without epsilon, 0 with it."""
    spreads = {
        place: {name: steps.max() / steps.min() for name, steps in by_method.items()}
        for place, by_method in results["steps"].items()
    }
    outside, inside = (
        ", ".join(f"{name} {spreads[place][name]:.3g}" for name in METHODS[1:]) for place in PLACES
    )
    return [
        exact(
            "C-035",
            all(spreads["outside, 1e-7"][name] < 10 for name in METHODS[1:]),
            f"gradients that differ by {results['gradients'][-1] / results['gradients'][0]:.0e}: "
            f"largest over smallest step, epsilon 1e-7 outside the root: {outside}; 1e-6 inside, "
            f"which is 1e-3 outside: {inside}; gradient descent "
            f"{spreads['outside, 1e-7']['gradient descent']:.0e}",
        ),
        exact(
            "E-87",
            bool(np.isnan(results["never_updated_literally"]).all())
            and (results["never_updated"] == 0).all(),
            f"cache of a weight with gradient 0: {results['cache'][0]:g}, not positive; its step "
            f"without epsilon {results['never_updated_literally'][0]}, with it "
            f"{abs(results['never_updated'][0]):g}",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Step against gradient, one panel for each place of epsilon."""
    fig, panels = figure(1, 2, width=4.6, height=3.5, sharey=True)
    for axes, (place, by_method) in zip(panels, results["steps"].items(), strict=True):
        for name in METHODS:
            look = method(name) | {"linestyle": {"rmsprop": "--", "adam": ":"}.get(name, "-")}
            axes.loglog(results["gradients"], by_method[name], lw=2, **look)
        axes.set(xlabel="gradient of the coordinate", title=f"epsilon {place}")
    panels[0].set_ylabel("its step / that of gradient 1")
    panels[0].set_ylim(1e-6, 3)
    panels[1].legend(loc="lower right")
    return fig
