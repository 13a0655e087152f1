"""Is dropout before the activation the same as dropout behind it?

The notes drop in front of ReLU in PyTorch (001:80) and behind it in TensorFlow (000:49, 002:697),
as if alike (E-40). C-085: with the same masks both orders must give the same outputs bit by bit.
They are compared on numbers of all sizes with both zeros, at seven drop rates, in float32 and
bfloat16, and as whole networks: 001's network (200 and 200 units) and the same layers in the other
order, logits and gradients. Dropout commutes with what keeps 0 and factors above 0 as they are.
Sigmoid, which does neither, must differ as a control; tanh, ELU and leaky ReLU stand beside.

Command: python -m experiments --only does_dropout_commute_with_the_activation
(CPU, about 6 s)
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Gate, Plan, Verdict, all_of, demonstration, figure, holds
from jaxtricks import models
from jaxtricks.regularizers import dropout

FIGURES = ()
CLAIMS = ("C-085",)
ERRATA = ("E-40",)
TIER = 2

RATES = (1 / 16, 0.1, 1 / 4, 1 / 2, 0.8, 15 / 16, 1.0)
DTYPES = ("float32", "bfloat16")
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "ReLU": jax.nn.relu,
    "leaky ReLU": jax.nn.leaky_relu,
    "ELU": jax.nn.elu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}
SHOWN = ("ReLU", "sigmoid")
PLANS = {
    "C-085": Plan(
        effects={"entries that differ": 0.0},
        gates=("sigmoid",),
        settings={"rates": RATES, "dtypes": DTYPES},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`numbers`: inputs of the activations; `examples`: rows for the networks."""

    numbers: int = 10_000
    examples: int = 128


SMOKE = Config(numbers=100, examples=4)
FULL = Config(numbers=1_000_000, examples=1000)


def run(config: Config) -> dict[str, Any]:
    """Shares of outputs that differ in a bit, `[dtype, rate]`; the two networks; mean outputs."""
    numbers = jnp.asarray(inputs(config.numbers))
    found = [differing(numbers.astype(dtype), jnp.array(RATES)) for dtype in DTYPES]
    images = jax.random.normal(jax.random.key(2), (config.examples, 784))
    at = jnp.linspace(-4, 4, 81)
    return {
        "shares": {name: np.stack([rows[name] for rows in found]) for name in ACTIVATIONS},
        "networks": jax.device_get(networks(images)),
        "at": at,
        "curves": mean_outputs(at),
        "numbers": len(numbers),
        "examples": config.examples,
    }


def inputs(count: int) -> np.ndarray:
    """Normal numbers of sizes from 1e-6 to 1e6, and both zeros."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=count) * 10 ** rng.uniform(-6, 6, count)
    return np.concatenate([[0.0, -0.0], values]).astype(np.float32)


@jax.jit
def differing(x: jax.Array, rates: jax.Array) -> dict[str, jax.Array]:
    """Share of each activation's outputs whose bits depend on the order, at each rate."""

    def at(rate: jax.Array) -> dict[str, jax.Array]:
        dropped = dropout(KEY, x, rate)
        pairs = {
            name: (act(dropped), dropout(KEY, act(x), rate)) for name, act in ACTIVATIONS.items()
        }
        return {
            name: jnp.mean(bits(before) != bits(after)) for name, (before, after) in pairs.items()
        }

    return jax.lax.map(at, rates)


KEY = jax.random.key(1)


def bits(x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(x, jnp.uint32 if x.dtype == jnp.float32 else jnp.uint16)


@jax.jit
def networks(images: jax.Array) -> dict[str, jax.Array]:
    """How many logits and entries of the gradient differ in a bit between the two orders."""
    before, after = models.pytorch_mlp(), models.MLP((200, 200, 10), dropout_rates=0.5)
    variables = before.init(jax.random.key(3), images, train=False)

    def found(model: models.MLP) -> Any:
        def loss(given: Any) -> Any:
            logits = model.apply(given, images, train=True, rngs={"dropout": KEY})
            return jnp.mean(logits**2), logits

        gradient, logits = jax.grad(loss, has_aux=True)(variables)
        return logits, jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(gradient)])

    pairs = zip(("logits", "gradient"), found(before), found(after), strict=True)
    return {name: jnp.sum(bits(one) != bits(other)) for name, one, other in pairs}


@jax.jit
def mean_outputs(at: jax.Array) -> dict[str, dict[str, jax.Array]]:
    """The mean over 10,000 masks at the drop rate 1/2, in both orders; one mask for all inputs."""
    rows = jnp.broadcast_to(at, (10_000, len(at)))

    def drop(x: jax.Array) -> jax.Array:
        return dropout(KEY, x, 0.5, mask_axes=(0,))

    return {
        name: {
            "before": jnp.mean(ACTIVATIONS[name](drop(rows)), axis=0),
            "after": jnp.mean(drop(ACTIVATIONS[name](rows)), axis=0),
        }
        for name in SHOWN
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-085 by the bits of ReLU's outputs; E-40 if ReLU is alike and sigmoid is not."""
    shares, nets = results["shares"], results["networks"]
    alike = shares["ReLU"].max() == 0
    networks_alike = nets["logits"] == 0 and nets["gradient"] == 0
    sigmoid = shares["sigmoid"].min()
    others = ", ".join(
        f"{name} {100 * shares[name].min():.0f} to {100 * shares[name].max():.0f} %"
        for name in ACTIVATIONS
        if name not in SHOWN
    )
    parts = [
        holds(
            f"share of ReLU's outputs that differ in a bit: at most {shares['ReLU'].max():.3g}, at "
            f"{len(RATES)} drop rates in {' and '.join(DTYPES)}",
            alike,
            panel="c",
        ),
        holds(
            f"logits of 001's network that differ in a bit: {nets['logits']:.0f}, and entries of "
            f"its gradient: {nets['gradient']:.0f}",
            networks_alike,
        ),
    ]
    return [
        all_of(
            "C-085",
            parts,
            gates=[
                Gate(
                    "sigmoid", sigmoid > 0.5, f"{100 * sigmoid:.0f} % or more of its outputs differ"
                )
            ],
            scope=f"{results['numbers']:.0f} numbers of sizes from 1e-6 to 1e6, drop rates from "
            f"1/16 to 1, and an untrained MLP 784-200-200-10 on {results['examples']:.0f} rows",
            beside=[f"outputs that differ in a bit: {others}"],
        ),
        demonstration(
            "E-40",
            bool(alike and networks_alike and sigmoid > 0.5),
            f"before or behind ReLU alike bit by bit; of sigmoid's outputs {100 * sigmoid:.0f} % "
            "or more differ: a unit dropped in front of it still gives 1/2, one behind it 0",
            panel="b and c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Mean outputs of both orders for sigmoid and ReLU, and the shares that differ."""
    fig, (*orders, shares) = figure(1, 3, width=5.0, height=4.6)
    for axes, name in zip(orders, SHOWN, strict=True):
        curves = results["curves"][name]
        axes.plot(results["at"], curves["after"], color=COLOURS[0], label="dropout behind it")
        axes.plot(
            results["at"], curves["before"], color=COLOURS[1], ls="--", label="dropout before"
        )
        axes.set(xlabel="input of the activation", ylabel="mean output over 10,000 masks")
        axes.set_title(f"{name}, drop rate 1/2")
        axes.legend(loc="upper left")
    draw_shares(shares, results["shares"])
    return fig


def draw_shares(axes: Axes, shares: dict[str, np.ndarray]) -> None:
    """The largest share over rates and dtypes, and the least as a mark."""
    names = list(ACTIVATIONS)
    most = [100 * np.max(shares[name]) for name in names]
    bars = axes.bar(names, most, color=[COLOURS[0] if name == "ReLU" else "grey" for name in names])
    axes.bar_label(bars, fmt="%.0f %%", padding=2)
    axes.set(ylabel="outputs that differ in a bit, %", ylim=(0, 112))
    axes.set_title("most at any rate and dtype")
    axes.tick_params(axis="x", labelrotation=20)
    axes.grid(visible=False, axis="x")
