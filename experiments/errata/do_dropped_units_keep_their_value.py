"""Do the parameters of dropped units keep their values?

003:57 and 004:694 say that the weights of a dropped unit are not updated (E-17). Their gradient is
0, but that is not yet a standstill: a velocity goes on, a decay goes on shrinking. Ten updates with
a gradient of 1, then the unit is dropped: distances of the next updates in units of the rate, from
weight 1, decay 0.1. The momentum's first is rho (1 - rho^10) / (1 - rho).

Command: python -m experiments --only do_dropped_units_keep_their_value      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure, method
from jaxtricks import optimizers

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-17",)


@dataclasses.dataclass(frozen=True)
class Config:
    """All rules have one `rate`; `decay`: of momentum and Nesterov, from 0 to under 1.

    `active`: updates with the unit; `dropped`: those without it.
    """

    rate: float = 0.001
    decay: float = 0.9
    weight_decay: float = 0.1
    active: int = 10
    dropped: int = 60


SMOKE = Config(dropped=20)
FULL = Config(dropped=1000)


def rules(config: Config) -> dict[str, optax.GradientTransformation]:
    """The rules, at one rate; AdaDelta's is 1 and is divided out like the others'."""
    rate, decay, weight_decay = config.rate, config.decay, config.weight_decay
    descent = optimizers.gradient_descent(rate)
    return {
        "gradient descent": descent,
        "adagrad": optimizers.adagrad(rate),
        "adadelta": optimizers.adadelta(rate),
        "rmsprop": optimizers.rmsprop(rate),
        "descent, L2": optax.chain(optimizers.add_l2(weight_decay), descent),
        "momentum": optimizers.momentum(rate, decay=decay),
        "nesterov": optimizers.nesterov(rate, decay=decay),
        "adam": optimizers.adam(rate),
        "adamw": optax.chain(
            optimizers.scale_by_adam(), optimizers.add_decoupled_decay(weight_decay), descent
        ),
    }


def run(config: Config) -> dict[str, Any]:
    """Each rule's updates over the rate: some with the unit, the rest without it."""
    active = config.active
    gradients = (jnp.arange(active + config.dropped) < active).astype(float)

    @jax.jit
    def follow() -> dict[str, jax.Array]:
        updates = {}
        for name, tx in rules(config).items():

            def body(carry: Any, gradient: jax.Array, tx: Any = tx) -> Any:
                weight, state = carry
                update, state = tx.update(gradient, state, weight)
                return (weight + update, state), update / config.rate

            start = jnp.ones(())
            updates[name] = jax.lax.scan(body, (start, tx.init(start)), gradients)[1]
        return updates

    with jax.enable_x64(True):
        steps = {name: np.asarray(values) for name, values in follow().items()}
    return {
        "first": {name: abs(values[active]) for name, values in steps.items()},
        "total": {name: abs(values[active:].sum()) for name, values in steps.items()},
        "moved": {name: np.cumsum(values)[:150] for name, values in steps.items()},
        "active": active,
        "dropped": config.dropped,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if plain descent stands still (exactly) and velocity, Adam and decay do not."""
    first, total = results["first"], results["total"]
    still = [name for name, value in first.items() if value == 0]
    moving = [name for name in first if name not in still]
    named = ("momentum", "nesterov", "adam", "adamw", "descent, L2")
    parts = ", ".join(
        f"{name.replace(', ', ' + ')} {first[name]:.3g} ({total[name]:.3g})" for name in moving
    )
    return [
        demonstration(
            "E-17",
            "gradient descent" in still and set(named) <= set(moving),
            f"first update without the unit (all {results['dropped']}) over the rate: {parts}; "
            f"0: {', '.join(still)}",
            panel="a",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """How far a dropped unit's weight goes on, at once and over time."""
    fig, (first, drift) = figure(1, 2, width=5.4, height=4.7)
    names = sorted(results["first"], key=lambda name: results["first"][name])
    values = [results["first"][name] for name in names]
    colours = [RIGHT if value == 0 else LITERAL for value in values]
    bars = first.barh([name.replace(", ", " + ") for name in names], values, color=colours)
    first.bar_label(bars, fmt="%.3g", padding=3)
    first.invert_yaxis()
    first.set(xlabel="update / learning rate", xlim=(0, 7))
    first.set_title("first update without the unit")
    first.grid(visible=False, axis="y")
    for name in ("gradient descent", "momentum", "nesterov", "adam", "adamw"):
        moved = results["moved"][name]
        look = method("adam") | {"linestyle": ":"} if name == "adamw" else method(name)
        drift.plot(np.arange(1, len(moved) + 1), moved, **(look | {"label": name}))
    active = results["active"]
    drift.axvspan(active, len(moved), color="grey", alpha=0.12, linewidth=0)
    drift.text(active + 1, 1, "dropped: gradient 0", fontsize=10.5)
    drift.set(
        xlabel="update",
        ylabel="change of the weight / learning rate",
        xlim=(0, len(moved)),
        ylim=(-107, 10),
    )
    drift.set_title(f"{active} gradients of 1, then dropped")
    drift.legend(loc="center right", bbox_to_anchor=(1, 0.38))
    return fig
