"""Does dividing by 1 - p after the next activation keep the mean, as the notes print it?

004:678 wants E[a] = E[dropout(a)], and 004:691 prints r * a, then z = W (r * a) + b, then
a' = sigma(z) / (1 - p): the factor stands behind the next activation (E-04). Inverted dropout
divides before the layer: sigma(W (r * a / (1 - p)) + b). Both forms run on the same masks, at
p = 0.5, with four activations, and C-079 is judged for each: the mean over 100,000 masks over the
value without dropout must be 1, to 1 %. That ratio is the slope of the means of all units against
their test values, by least squares through 0, since single test values may be near 0. The inputs
are the activation of normal numbers, the weights normal with deviation 1 / sqrt(fan in), and the
biases of the formula normal with deviation 0.5; biases of 0 stand beside. As a control the inverted
form on the linear map must give 1.

Command: python -m experiments --only does_scaling_after_the_activation_keep_the_mean
(CPU, about 20 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    equivalent,
    figure,
    interval,
    mean,
)
from jaxtricks.regularizers import dropout

FIGURES = ()
CLAIMS = ("C-079",)
ERRATA = ("E-04",)
TIER = 2

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "identity": lambda z: z,
    "ReLU": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
}
FORMS = {"printed": "scaled after the activation", "inverted": "scaled before the layer"}
RATE, BIAS, BLOCK = 0.5, 0.5, 500
UNITS = ("test", "means")  # of the first draw, unit by unit
PLANS = {
    "C-079": Plan(
        effects={"ratio": 0.01},
        gates=("inverted form on a linear map",),
        settings={"rate": RATE, "deviation of the biases": BIAS},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`units` of both layers; `masks` in blocks of 500; `seeds`: draws of inputs and weights."""

    units: int = 32
    masks: int = 100_000
    seeds: int = 20
    seed: int = 16_079


SMOKE = Config(units=8, masks=1000, seeds=2)
FULL = Config(units=256, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Slopes and distances by form and activation, `[bias or none, seed]`; two units in detail."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    found = {}
    for name, act in ACTIVATIONS.items():
        every = jax.lax.map(functools.partial(measure, act=act, config=config), keys)
        found[name] = jax.device_get(every)
    first = jax.tree.map(lambda rows: rows[0], {key: found["sigmoid"][key] for key in UNITS})
    return {
        "slopes": {name: rows["slopes"] for name, rows in found.items()},
        "distances": {name: rows["distances"] for name, rows in found.items()},
        "apart": {name: rows["apart"].max() for name, rows in found.items()},
        "largest": found["sigmoid"]["largest"].max(),
        "sum": found["identity"]["sum"],
        "shown": first,
        "units": config.units,
        "masks": config.masks,
    }


@functools.partial(jax.jit, static_argnames=("act", "config"))
def measure(
    key: jax.Array, *, act: Callable[[jax.Array], jax.Array], config: Config
) -> dict[str, Any]:
    """One draw of inputs, weights and biases: means over the masks, `[bias or none, unit]`."""
    inputs_key, weights_key, bias_key, masks_key = jax.random.split(key, 4)
    inputs = act(jax.random.normal(inputs_key, (config.units,)))
    size = (config.units, config.units)
    weights = jax.random.normal(weights_key, size) / jnp.sqrt(config.units)
    biases = BIAS * jax.random.normal(bias_key, (1, config.units))
    biases = jnp.stack([biases, jnp.zeros_like(biases)])  # with biases, and without
    test = act((inputs @ weights)[None, None] + biases)[:, 0]

    def block(key: jax.Array) -> Any:
        rows = jnp.broadcast_to(inputs, (BLOCK, config.units))
        plain = dropout(key, rows, RATE, inverted=False) @ weights
        scaled = dropout(key, rows, RATE) @ weights
        printed = act(plain[None] + biases) / (1 - RATE)
        inverted = act(scaled[None] + biases)
        softmax = jax.nn.softmax(plain + biases[0]) / (1 - RATE)
        means = jnp.stack([printed.mean(axis=1), inverted.mean(axis=1)])
        return means, printed.max(), jnp.max(jnp.abs(printed - inverted)[1]), softmax.sum(1).mean()

    blocks = jax.lax.map(block, jax.random.split(masks_key, config.masks // BLOCK))
    means, largest, apart, total = blocks
    means = means.mean(axis=0)
    slopes = jnp.sum(means * test[None], axis=-1) / jnp.sum(test**2, axis=-1)[None]
    distances = jnp.sqrt(jnp.mean((means - test[None]) ** 2, -1) / jnp.mean(test**2, -1)[None])
    return {
        "slopes": dict(zip(FORMS, slopes, strict=True)),
        "distances": dict(zip(FORMS, distances, strict=True)),
        "apart": apart.max(),
        "largest": largest.max(),
        "sum": total.mean(),
        "test": test[0],
        "means": dict(zip(FORMS, means[:, 0], strict=True)),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-079 by the slope of each activation with biases; E-04 if the printed form is farther from
    the test value than the inverted one in every draw, and leaves sigmoid's range."""
    plan, slopes, distances = PLANS["C-079"], results["slopes"], results["distances"]
    within = plan.effects["ratio"]
    parts = [
        equivalent(
            f"{name}: mean over masks over the test value",
            slopes[name]["printed"][:, 0],
            within=within,
            target=1.0,
            panel="a",
        )
        for name in ACTIVATIONS
    ]
    linear = mean(slopes["identity"]["inverted"][:, 0])
    control = Gate(
        "inverted form on a linear map",
        1 - within < linear.low and linear.high < 1 + within,
        f"mean over masks over the test value {linear.value:.4f} [{linear.low:.4f}, "
        f"{linear.high:.4f}]",
    )
    without = ", ".join(
        f"{name} {slopes[name]['printed'][:, 1].mean():.3f}" for name in ACTIVATIONS
    )
    farther = {
        name: bool(np.all(rows["printed"][:, 0] > rows["inverted"][:, 0]))
        for name, rows in distances.items()
    }
    told = ", ".join(
        f"{name} {rows['printed'][:, 0].mean():.2f} ({rows['inverted'][:, 0].mean():.3f})"
        for name, rows in distances.items()
    )
    return [
        all_of(
            "C-079",
            parts,
            gates=[control],
            scope=f"a layer of {results['units']:.0f} units behind as many, drop rate {RATE}, "
            f"biases of deviation {BIAS}, {results['masks']:.0f} masks, {len(results['sum'])} "
            "draws of inputs and weights, float32",
            beside=[
                f"with biases of 0 the ratios are {without}; ReLU's outputs of the two forms are "
                f"then {results['apart']['ReLU']:.1g} apart at most"
            ],
        ),
        demonstration(
            "E-04",
            all(farther.values()) and results["largest"] > 1,
            f"outputs of sigmoid reach {results['largest']:.2f}, probabilities of a softmax add up "
            f"to {results['sum'].mean():.2f}; relative distance of the mean over masks from the "
            f"test value (that of inverted dropout): {told}",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The ratio of each activation, the distance, and sigmoid's units one by one."""
    fig, (ratios, distances, units) = figure(1, 3, width=5.2, height=4.8)
    places = np.arange(len(ACTIVATIONS))
    for shift, colour, form in ((-0.12, LITERAL, "printed"), (0.12, RIGHT, "inverted")):
        for axes, key in ((ratios, "slopes"), (distances, "distances")):
            for bias, marker in enumerate("os"):
                rows = [interval(results[key][name][form][:, bias]) for name in ACTIVATIONS]
                values, lows, highs = np.array(rows).T
                bars = np.array([values - lows, highs - values])
                label = f"{FORMS[form]}, {('with biases', 'biases of 0')[bias]}"
                look = {"color": colour, "mfc": "white" if bias else colour, "label": label}
                at = places + shift + 0.06 * (2 * bias - 1)
                axes.errorbar(at, values, bars, fmt=marker, capsize=3, ms=7, **look)
    for axes in (ratios, distances):
        axes.set_xticks(places, list(ACTIVATIONS))
    ratios.axhline(1, color="black", ls="--", lw=1)
    ratios.set(ylabel="mean over masks / test value", ylim=(0.8, 2.6))
    seeds = len(results["sum"])
    ratios.set_title(f"the mean, with 95 % of {seeds} draws; 1 is right")
    ratios.legend(loc="upper left")
    distances.set(ylabel="rms distance / rms of the test values", yscale="log", ylim=(1e-3, 4))
    distances.set_title(f"the distance, with 95 % of {seeds} draws")
    draw_units(units, results)
    return fig


def draw_units(axes: Axes, results: dict[str, Any]) -> None:
    """Mean output against test value, unit by unit, of the first draw."""
    shown = results["shown"]
    for form, colour in (("printed", LITERAL), ("inverted", RIGHT)):
        axes.plot(shown["test"], shown["means"][form], "o", ms=4, color=colour, label=FORMS[form])
    axes.plot([0, 1], [0, 1], color="black", ls="--", lw=1)
    axes.axhspan(1, 2.3, color="grey", alpha=0.15, lw=0)
    axes.text(0.98, 2.26, "beyond\nsigmoid's range", ha="right", va="top", fontsize=10.5)
    axes.set(xlabel="test value of a unit", ylabel="mean over masks", xlim=(0, 1), ylim=(0, 2.3))
    axes.set_title("sigmoid, each unit of the first draw")
    axes.legend(loc="upper left")
