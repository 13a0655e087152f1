"""Can weight decay alone make the weights diverge?

002:1029-1030 draws the rate from 1e-5 to 1e-3 and the weight decay from 1e-4 to 1e4, both as random
powers of ten (E-24). Where the gradient of the loss is 0, an update multiplies a weight by
1 - rate * decay: it grows if rate * decay is over 2, with momentum rho if it is over 2 (1 + rho).
Pairs are drawn from these ranges and from the finer ones of 002:1040-1041, and each rule makes 200
updates of a weight 1 whose gradient is 0. A pair diverges if the weight ends larger than 1. The
share of such pairs must be that of the closed form, which is an area in the plane of the two
exponents, and 0 in the fine ranges. Beside our rules stand those of optax.

Command: python -m experiments --only can_decay_alone_make_weights_diverge      (CPU, about 5 s)
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.engine import COLOURS, Verdict, demonstration, figure, method
from jaxtricks.optimizers import add_decoupled_decay, add_l2, gradient_descent, momentum
from jaxtricks.optimizers import scale_by_adam as adam

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-24",)
DESCENT = "gradient descent"
PRODUCTS = {DESCENT: (1.9, 2.1), "momentum": (3.7, 3.9)}  # of rate and decay, in the picture
SHOWN, LENGTH = 1000, 60  # pairs and updates in the picture


class Rule(NamedTuple):
    """An update rule with decay, by rate and decay.

    Attributes:
        ours: the library's.
        theirs: the same of optax; None if it has none.
        limit: of rate times decay, above which the weight grows.
    """

    ours: Callable[[Any, Any], optax.GradientTransformation]
    theirs: Callable[[Any, Any], optax.GradientTransformation] | None
    limit: float


def rules(rho: float) -> dict[str, Rule]:
    """The rules by name, with this momentum."""
    return {
        DESCENT: Rule(
            lambda rate, decay: optax.chain(add_l2(decay), gradient_descent(rate)),
            lambda rate, decay: optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate)),
            2.0,
        ),
        "without ½": Rule(
            lambda rate, decay: optax.chain(add_l2(decay, half=False), gradient_descent(rate)),
            None,
            1.0,
        ),
        "momentum": Rule(
            lambda rate, decay: optax.chain(add_l2(decay), momentum(rate, decay=rho)),
            lambda rate, decay: optax.chain(
                optax.add_decayed_weights(decay), optax.sgd(rate, momentum=rho)
            ),
            2 * (1 + rho),
        ),
        "AdamW": Rule(
            lambda rate, decay: optax.chain(
                adam(), add_decoupled_decay(decay), gradient_descent(rate)
            ),
            lambda rate, decay: optax.adamw(rate, weight_decay=decay),
            2.0,
        ),
    }


Exponents = tuple[tuple[float, float], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws`: pairs from each range; `updates`: of the weight at each.

    `coarse` and `fine` are the ends of the exponents of ten, of the rate and of the decay, whose
    product may reach 30 with 200 updates (more overflows); `momentum` is from 0 to under 1.
    """

    draws: int = 40_000
    updates: int = 200
    coarse: Exponents = ((-5.0, -3.0), (-4.0, 4.0))
    fine: Exponents = ((-4.0, -3.0), (-3.0, 0.0))
    momentum: float = 0.9
    seed: int = 24


SMOKE = Config(draws=10_000)
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Which pairs diverge by each rule; the shares, and those of the closed form."""
    ours = rules(config.momentum)
    results: dict[str, Any] = {
        "draws": config.draws,
        "updates": config.updates,
        "ranges": {},
        "coarse": config.coarse,
        "fine": config.fine,
        "limits": {key: ours[key].limit for key in PRODUCTS},
    }
    with jax.enable_x64(True):
        ends_of = {"coarse": config.coarse, "fine": config.fine}
        for number, (name, exponents) in enumerate(ends_of.items()):
            random = np.random.default_rng((config.seed, number))
            rate, decay = (10 ** random.uniform(*ends, config.draws) for ends in exponents)
            results["ranges"][name] = {
                key: compared(rule, rate, decay, exponents, config.updates)
                for key, rule in ours.items()
            }
            if name == "coarse":
                results["pairs"] = np.stack([rate, decay])[:, :SHOWN]
        results["lengths"] = {
            key: [np.abs(weights(ours[key].ours, 1.0, product, LENGTH)) for product in products]
            for key, products in PRODUCTS.items()
        }
    return results


def weights(make: Callable, rate: Any, decay: Any, updates: int) -> jax.Array:
    """The weight after each update, from 1, where the gradient of the loss is 0."""
    rule, first = make(rate, decay), jnp.ones(())

    def update(carry: Any, _: None) -> tuple[Any, jax.Array]:
        weight, state = carry
        step, state = rule.update(jnp.zeros(()), state, weight)
        weight = optax.apply_updates(weight, step)
        return (weight, state), weight

    return jax.lax.scan(update, (first, rule.init(first)), length=updates)[1]


def compared(rule: Rule, rate: Any, decay: Any, exponents: Any, updates: int) -> dict[str, Any]:
    """The share of pairs that diverge, by our rule, by optax's and by the closed form."""

    @jax.jit
    @jax.vmap
    def diverges(rate: jax.Array, decay: jax.Array) -> tuple[jax.Array, jax.Array]:
        makers = (rule.ours, rule.theirs or rule.ours)
        ours, theirs = (jnp.abs(weights(make, rate, decay, updates)[-1]) > 1 for make in makers)
        return ours, theirs

    ours, theirs = map(np.asarray, diverges(rate, decay))
    return {
        "share": np.mean(ours),
        "optax differs": np.mean(ours != theirs),
        "law differs": np.mean(ours != (rate * decay > rule.limit)),
        "area": area_over(rule.limit, exponents),
    }


def area_over(limit: float, exponents: Any) -> float:
    """The share of the rectangle of exponents above the line on which the product is `limit`.

    That is a triangle, as long as no side of it is longer than one of the rectangle.
    """
    (low, high), (least, most) = exponents
    side = max(0.0, high + most - math.log10(limit))
    return side**2 / 2 / ((high - low) * (most - least))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if every share is the closed form's, to 4 standard errors, over 0 in the coarse
    ranges and 0 in the fine ones, and by optax's rules the same pairs diverge.
    """
    right, told = [], []
    for name, found in results["ranges"].items():
        for key, rule in found.items():
            error = math.sqrt(rule["area"] * (1 - rule["area"]) / results["draws"])
            right += [
                abs(rule["share"] - rule["area"]) <= 4 * error,
                (rule["share"] > 0) == (name == "coarse"),
                max(rule["optax differs"], rule["law differs"]) <= 1e-4,
            ]
            told += [f"{100 * rule['share']:.2f} % ({key})"]
    return [
        demonstration(
            "E-24",
            all(right),
            f"the weight diverges at {', '.join(told[: len(told) // 2])} of the coarse pairs, as "
            "in the closed form, and at none of the fine ones",
            panel="a and c",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The pairs and the limits, a weight on both sides of these, and the shares."""
    fig, (pairs, path, shares) = figure(1, 3, width=5.2, height=4.6)
    draw_pairs(pairs, results)
    for key, products in PRODUCTS.items():
        for product, lengths, width in zip(
            products, results["lengths"][key], (1.0, 2.4), strict=True
        ):
            look = method(key) | {"lw": width, "label": f"{key}, rate × decay = {product:g}"}
            path.semilogy(np.arange(1, LENGTH + 1), lengths, **look)
    path.set(xlabel="update", ylabel="size of the weight", title="from 1, with the gradient 0")
    path.set_ylim(top=1e13)
    path.legend(loc="upper left")
    rules = results["ranges"]["coarse"]
    for shift, kind, colour, label in (
        (-0.2, "share", COLOURS[0], "measured"),
        (0.2, "area", "grey", "closed form"),
    ):
        values = [100 * rule[kind] for rule in rules.values()]
        places = np.arange(len(rules)) + shift
        bars = shares.bar(places, values, 0.38, color=colour, label=label)
        shares.bar_label(bars, fmt="%.2f", fontsize=9)
    shares.set_xticks(range(len(rules)), [key.replace(" ", "\n") for key in rules])
    shares.set(ylabel="pairs that diverge / %", title=f"{results['draws']:,.0f} coarse pairs")
    shares.legend()
    return fig


def draw_pairs(axes: Axes, results: dict[str, Any]) -> None:
    """Pairs and the limits of two rules, above which the weight diverges."""
    rate, decay = np.asarray(results["pairs"])
    axes.loglog(rate, decay, ".", color="grey", ms=4)
    ends = 10.0 ** np.asarray(results["coarse"][0])
    for key, limit in results["limits"].items():
        look = method(key) | {"label": f"rate × decay = {limit:g}, limit of {key}"}
        axes.plot(ends, limit / ends, **look)
    (low, high), (least, most) = 10.0 ** np.asarray(results["fine"])
    fine = Rectangle((low, least), high - low, most - least, fill=False, lw=2, label="fine ranges")
    axes.add_patch(fine)
    axes.set(xlabel="learning rate", ylabel="weight decay", ylim=(5e-5, 1e8))
    axes.set_title(f"{len(rate)} pairs of the coarse ranges")
    axes.legend(loc="upper right", fontsize=9)
