"""Does scaling by the root of the squares make steps of large and small gradients alike?

The lecture says that it does (003:41), and that the cache is "certainly positive" (003:33). Each
of 25 coordinates has its own constant gradient, 1e-6 to 1; the step of each after 100 updates,
over the largest one's. Epsilon stands outside the root, 1e-7 (notes 002 and 003), or inside, 1e-6
(note 004). A coordinate whose gradient is always 0 has a cache of 0: without epsilon its step is
0 / 0. Alike: the largest step is less than 10 times the smallest.

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

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    exactly,
    figure,
    method,
    under,
)
from jaxtricks import optimizers

CLAIMS = ("C-035",)
ERRATA = ("E-87",)
PLANS = {
    "C-035": Plan(
        effects={"ratio of the steps": 10.0, "gradient descent, relative": 0.01},
        gates=("pos",),
        settings={"epsilon": "1e-7 outside the root"},
    )
}
NON_FINITE = ("never_updated_literally",)
METHODS = ("gradient descent", "adagrad", "rmsprop", "adam")


@dataclasses.dataclass(frozen=True)
class Config:
    """The gradients of `points` coordinates lie within `decades` powers of ten, up to 1; the step
    is read after `steps` updates.

    Each of `places` is a name, an epsilon, and whether it stands inside the root; the first is the
    judged one.
    """

    decades: int = 6
    points: int = 25
    steps: int = 100
    places: tuple[tuple[str, float, bool], ...] = (
        ("outside, 1e-7", 1e-7, False),
        ("inside, 1e-6", 1e-6, True),
    )


SMOKE = Config(points=7, steps=20)
FULL = Config(points=61, steps=10_000)


def run(config: Config) -> dict[str, Any]:
    """Relative steps by method and place of epsilon; the step of a weight never updated."""
    found = measure(config)
    steps = {place: found["steps"][place] for place, *_ in config.places}  # jit sorts the keys
    return {**found, "steps": steps, "updates": config.steps}


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    gradients = jnp.logspace(-config.decades, 0, config.points)
    zero = jnp.zeros(1)
    plain = optimizers.gradient_descent(1.0)
    safe = optimizers.adagrad(0.01, eps=config.places[0][1])
    return {
        "gradients": gradients,
        "steps": {
            place: {name: step(make(name, *where), gradients, config.steps) for name in METHODS}
            for place, *where in config.places
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
    """C-035: with epsilon outside, by each rule. E-87: 0 / 0 without epsilon, 0 with it."""
    outside, inside = (
        {name: steps.max() / steps.min() for name, steps in by_method.items()}
        for by_method in results["steps"].values()
    )
    ratio = results["gradients"][-1] / results["gradients"][0]
    plan = PLANS["C-035"]
    plain = outside["gradient descent"]
    return [
        all_of(
            "C-035",
            [
                under(
                    f"{name}, largest over smallest step",
                    exactly(outside[name]),
                    plan.effects["ratio of the steps"],
                    panel="a",
                )
                for name in METHODS[1:]
            ],
            scope=f"constant gradients of {len(results['gradients'])} coordinates, the largest "
            f"{ratio:.0e} times the smallest, {results['updates']} updates, "
            f"epsilon 1e-7 outside the root, float32",
            gates=[
                Gate(
                    "pos",
                    bool(abs(plain / ratio - 1) < plan.effects["gradient descent, relative"]),
                    f"gradient descent's steps differ by {plain:.2e}, the gradients by {ratio:.2e}",
                )
            ],
            beside=[
                f"epsilon 1e-6 inside the root, {name}: largest over smallest step "
                f"{inside[name]:.3g}"
                for name in METHODS[1:]
            ],
        ),
        demonstration(
            "E-87",
            bool(np.isnan(results["never_updated_literally"]).all())
            and bool((results["never_updated"] == 0).all()),
            f"The cache of a weight whose gradient is always 0 is {results['cache'][0]:g}, which "
            f"is not positive: its step is {results['never_updated_literally'][0]} without epsilon "
            f"and {abs(results['never_updated'][0]):g} with it",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Step against gradient, one panel for each place of epsilon."""
    fig, panels = figure(1, 2, width=5.6, height=4.6, sharey=True)
    for axes, (place, by_method) in zip(panels, results["steps"].items(), strict=True):
        for name in METHODS:
            axes.loglog(results["gradients"], by_method[name], **method(name))
        where, eps = place.split(", ")
        axes.set(xlabel="gradient of the coordinate", title=f"epsilon {eps} {where} the root")
    panels[0].set_ylabel("step / step of gradient 1")
    panels[0].set_ylim(5e-7, 3)
    panels[1].legend(loc="lower right")
    return fig
