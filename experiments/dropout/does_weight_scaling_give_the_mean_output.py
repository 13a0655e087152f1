"""Does scaling the weights in evaluation give the mean output of training?

002:712-713 folds the probability into the outgoing weights, near to the expected output of the unit
in training; 002:729-730: training adds random noise, inference averages it out. A linear layer of
10 inputs has 1,024 masks, all of which are computed, weighted by their probabilities; the deep net
is 002's (two hidden ReLU layers of 100 units, standard dropout behind both), trained on digits with
dropout at the same rate, and its logits are averaged over masks on test images. C-072: root mean
square distance of the scaled network's outputs from the mean, over that of the mean, at the drop
rates 1/4 and 1/2: linear 1e-6, deep 10 % at most. The square of the deep distance is estimated
without bias, from two halves of the masks. 002:721 multiplies by the probability of dropping (E-06)
where that of keeping is meant; at the rate 1/4 that must fail, as a control. C-073: the logits of
one image vary between repeats in training and not in evaluation, and the means agree by C-072's
distance; at the drop rate 0 variance and distance must be 0.

Command: python -m experiments --only does_weight_scaling_give_the_mean_output
(CPU, about 40 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.dropout._standard import BEHIND, standard_net
from experiments.engine import (
    COLOURS,
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    demonstration,
    exactly,
    figure,
    holds,
    interval,
    mean,
    over,
    tolerance,
)
from jaxtricks.regularizers import scale_weights

FIGURES = ("F-063",)
CLAIMS = ("C-072", "C-073")
ERRATA = ("E-06",)
TIER = 2

RATES = (0.25, 0.5)
ERRATUM_RATES = (0.2, 0.25, 0.5, 0.75, 0.8)
INPUTS, OUTPUTS, BATCH, LEARNING_RATE = 10, 5, 32, 0.1
SETTINGS = {"rates": RATES, "batch": BATCH, "learning rate": LEARNING_RATE, "inputs": INPUTS}
PLANS = {
    "C-072": Plan({"linear": 1e-6, "deep": 0.1}, ("drop for keep",), SETTINGS),
    "C-073": Plan({"deep": 0.1, "evaluation": 0.0}, ("drop rate 0",), SETTINGS),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`masks` in two halves; `images`: test images that the masks see; `epochs` of training."""

    data_set: str = "digits"
    width: int = 100
    epochs: int = 10
    images: int = 100
    masks: int = 200
    seeds: int = 20
    seed: int = 16_072


SMOKE = Config(width=8, epochs=1, images=10, masks=20, seeds=2)
FULL = Config(data_set="mnist", width=1000, masks=2000)


def run(config: Config) -> dict[str, Any]:
    """Distances of the linear layer and of the deep net, and what the picture shows."""
    images = lab.read(config.data_set, pool=4000, validation=500)
    keys = jax.random.split(jax.random.key(config.seed), 2 * config.seeds)
    linear_keys, deep_keys = keys[: config.seeds], keys[config.seeds :]
    linear = linear_layers(linear_keys)
    shown = images.test["image"][: config.images] / np.float32(255)
    trials = {"rate": np.array((0.0, *RATES), np.float32)}
    deep = lab.over(functools.partial(train, config), trials, deep_keys, (images.pool, shown))
    first = {name: deep.pop(name)[-1, 0] for name in ("scaled", "mean")}
    return {
        "data_set": images.name,
        "linear": linear,
        "deep": deep,
        "first": first,
        "examples": len(images.pool["label"]),
        "images": len(shown),
        "masks": config.masks,
        "width": config.width,
        "epochs": config.epochs,
    }


def linear_layers(keys: jax.Array) -> dict[str, dict[str, np.ndarray]]:
    """By drop rate and seed: a layer's mean over all its masks, and the layer scaled.

    The layer computes in float32; the mean of its 1,024 outputs is taken in float64.
    """
    masks = (np.arange(2**INPUTS)[:, None] >> np.arange(INPUTS)) & 1
    outputs, bias, scaled = jax.device_get(layers(keys, jnp.float32(masks)))
    stay, found = masks.sum(axis=1), {}
    for i, rate in enumerate(ERRATUM_RATES):
        shares = (1 - rate) ** stay * rate ** (INPUTS - stay)
        total = np.einsum("m,smo->so", shares, outputs.astype(np.float64))
        size, own = np.linalg.norm(total, axis=1), np.linalg.norm(total - bias, axis=1)
        rows = {"right": scaled["keep"][:, i], "printed": scaled["drop"][:, i]}
        found[f"{rate:g}"] = {"mean": total, "scaled": rows["right"]} | {
            f"{name} {key}": np.linalg.norm(value, axis=1) / below
            for name, row in rows.items()
            for key, value, below in (("distance", row - total, size), ("ratio", row - bias, own))
        }
    return found


@jax.jit
def layers(keys: jax.Array, masks: jax.Array) -> Any:
    """Outputs under every mask, biases, and outputs with weights scaled by keep and by drop."""
    layer = nn.Dense(OUTPUTS, bias_init=nn.initializers.normal(1.0))

    def one(key: jax.Array) -> Any:
        x_key, key = jax.random.split(key)
        x = jax.random.normal(x_key, (INPUTS,))
        own = layer.init(key, x)["params"]

        def scaled(drop: jax.Array) -> jax.Array:
            folded = scale_weights({"params": {"layer": own}}, {"layer": drop})
            return layer.apply({"params": folded["params"]["layer"]}, x)

        rates = jnp.array(ERRATUM_RATES)
        both = {"keep": jax.lax.map(scaled, rates), "drop": jax.lax.map(scaled, 1 - rates)}
        return layer.apply({"params": own}, masks * x[None]), own["bias"], both

    return jax.lax.map(one, keys)


def train(config: Config, key: jax.Array, trial: Any, pool: Any, shown: jax.Array) -> dict:
    """Trains 002's net at one drop rate; compares scaled nets with their means over masks."""
    net, plain = standard_net(config.width, trial["rate"]), standard_net(config.width, 0.0)
    init_key, train_key, mask_key = jax.random.split(key, 3)
    steps = config.epochs * (len(pool["label"]) // BATCH)
    rule = lab.momentum_to_zero(LEARNING_RATE, steps=steps)
    ours = lab.trainer(net, rule, ("dropout",))
    first = lab.first_variables(plain, init_key, pool)
    options = {"epochs": config.epochs, "batch": BATCH}
    trained = ours.variables(lab.train(ours, first, pool, key=train_key, **options)[0])

    def compared(variables: Any) -> dict[str, jax.Array]:
        def logits(train: bool, key: jax.Array) -> jax.Array:
            return net.apply(variables, shown, train=train, rngs={"dropout": key})

        def scaled(drop: jax.Array) -> jax.Array:
            own = scale_weights(variables, dict.fromkeys(BEHIND, drop))
            return plain.apply(own, shown, train=False)

        repeat = functools.partial(logits, True)
        found = against_mean(
            repeat, scaled(trial["rate"]), scaled(1 - trial["rate"]), mask_key, config.masks
        )
        evaluations = logits(False, mask_key), logits(False, init_key)
        return {**found, "repeated": jnp.max(abs(evaluations[0] - evaluations[1]))}

    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), first, trained)
    untrained, found = (
        jax.tree.map(lambda x, i=i: x[i], jax.lax.map(compared, both)) for i in range(2)
    )
    return {**found, "untrained": untrained["distance"]}


def against_mean(
    repeat: Callable[[jax.Array], jax.Array],
    right: jax.Array,
    printed: jax.Array,
    key: jax.Array,
    masks: int,
) -> dict[str, jax.Array]:
    """Distances of two outputs from the mean of `repeat`, without bias: from two halves of it."""

    def half(key: jax.Array) -> Any:
        """Means over masks of the deviations from `right`, of their squares, and the largest."""

        def add(sums: Any, key: jax.Array) -> Any:
            away = repeat(key) - right
            return (sums[0] + away, sums[1] + away**2, jnp.maximum(sums[2], abs(away))), None

        zero = jnp.zeros_like(right)
        sums, _ = jax.lax.scan(add, (zero, zero, zero), jax.random.split(key, masks // 2))
        return 2 * sums[0] / masks, 2 * sums[1] / masks, sums[2]

    halves = jax.lax.map(half, jax.random.split(key))
    (one, other), squares, most = halves
    size = jnp.mean((right + one) * (right + other))

    def distance(found: jax.Array) -> jax.Array:
        away = found - right
        return jnp.sqrt(jnp.maximum(jnp.mean((away - one) * (away - other)), 0) / size)

    return {
        "distance": distance(right),
        "printed distance": distance(printed),
        "variance": jnp.mean(squares.mean(axis=0) - one * other) / size,
        "largest": most.max(),
        "scaled": right,
        "mean": right + (one + other) / 2,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-072 and C-073 at both rates; E-06 if drop for keep is off where they differ."""
    plan, linear, deep = PLANS["C-072"], results["linear"], results["deep"]
    exact, near = plan.effects["linear"], plan.effects["deep"]
    distances = [linear[f"{rate:g}"]["right distance"].max() for rate in RATES]
    quarter = RATES.index(0.25)
    wrong = linear["0.25"]["printed distance"].min(), deep["printed distance"][1 + quarter].min()
    rates = " and ".join(f"{rate:g}" for rate in RATES)
    agree = tolerance(
        "deep net: distance of the scaled logits from their mean over masks, relative",
        [mean(values) for values in deep["distance"][1:]],
        within=near,
        panel="c",
    )
    each = "; ".join(
        "drop rate {}: {:.3f} [{:.3f}, {:.3f}]".format(f"{rate:g}", *interval(values))
        for rate, values in zip(RATES, deep["distance"][1:], strict=True)
    )
    noisy = [
        over(
            f"variance of a logit over repeats at drop rate {rate:g}, over its mean square",
            values,
            0.0,
        )
        for rate, values in zip(RATES, deep["variance"][1:], strict=True)
    ]
    zero = deep["largest"][0].max(), deep["distance"][0].max()
    ratios = {rate: linear[f"{rate:g}"]["printed ratio"].mean() for rate in ERRATUM_RATES}
    right = [abs(linear[f"{rate:g}"]["right ratio"] - 1).max() for rate in ERRATUM_RATES]
    scope = (
        f"{data_name(results['data_set'])}, {results['examples']:.0f} training images, two hidden "
        f"ReLU layers of {results['width']:.0f} units, standard dropout behind both, momentum SGD, "
        f"batch {BATCH}, {results['epochs']:.0f} epochs, drop rates {rates}, "
        f"{results['images']:.0f} test images, {results['masks']:.0f} masks, float32"
    )
    return [
        all_of(
            "C-072",
            [
                tolerance(
                    "linear layer: distance of the scaled output from its mean over all masks, "
                    "relative, the worst of all draws",
                    [exactly(value) for value in distances],
                    within=exact,
                    panel="b",
                ),
                agree,
            ],
            gates=[
                Gate(
                    "drop for keep",
                    min(wrong) > near,
                    f"at drop rate 0.25 distances of {wrong[0]:.2f} (linear) and {wrong[1]:.2f} "
                    "(deep) or more",
                )
            ],
            scope=f"a linear layer of {INPUTS} inputs and {OUTPUTS} outputs; {scope}",
            beside=[
                f"deep net: {each}",
                "with its first weights: "
                + ", ".join(
                    f"{values.mean():.3f} at drop rate {rate:g}"
                    for rate, values in zip(RATES, deep["untrained"][1:], strict=True)
                ),
            ],
        ),
        all_of(
            "C-073",
            [
                *noisy,
                holds(
                    f"largest change between two evaluations: {deep['repeated'].max():g}",
                    deep["repeated"].max() == 0,
                ),
                agree,
            ],
            gates=[
                Gate(
                    "drop rate 0",
                    max(zero) == 0,
                    f"largest deviation of a repeat {zero[0]:g}, distance {zero[1]:g}",
                )
            ],
            scope=scope,
        ),
        demonstration(
            "E-06",
            bool(ratios[0.2] < 0.26 and ratios[0.8] > 3.9 and max(right) < 1e-4),
            "scaled by the probability of dropping, a linear layer's output is "
            + ", ".join(f"{ratio:.3g} of its mean at drop rate {rate:g}" for rate, ratio in
                        ratios.items() if rate in (0.2, 0.5, 0.8))
            + f"; by that of keeping it is 1 to {max(right):.1g}",
            panel="d",
        ),
    ]  # fmt: skip


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's diagram, scaled output against mean for both nets, and E-06's factor."""
    fig, (diagram, linear, deep, factor) = figure(2, 2, width=5.6, height=4.0)
    draw_diagram(diagram)
    rows = results["linear"]["0.5"]
    scatter(linear, rows["mean"], rows["scaled"])
    linear.set(xlabel="mean over all 1,024 masks", ylabel="output with scaled weights")
    linear.set_title("linear layer, drop rate 1/2")
    scatter(deep, results["first"]["mean"], results["first"]["scaled"])
    deep.set(xlabel=f"mean logit over {results['masks']:.0f} masks", ylabel="logit, scaled weights")
    found = np.multiply(100, interval(results["deep"]["distance"][-1]))
    seeds = results["deep"]["distance"].shape[1]
    deep.set_title(
        f"deep net, drop rate 1/2 (first seed): {found[0]:.1f} %\n"
        + "apart, 95 % [{:.1f}, {:.1f}] of {} seeds".format(*found[1:], seeds)
    )
    for key, colour, label in (
        ("printed ratio", LITERAL, "times the drop rate (printed)"),
        ("right ratio", RIGHT, "times the keep rate"),
    ):
        values = [results["linear"][f"{rate:g}"][key].mean() for rate in ERRATUM_RATES]
        factor.semilogy(ERRATUM_RATES, values, "o-", color=colour, label=label)
    factor.set(xlabel="drop rate", ylabel="scaled output / mean output", ylim=(0.2, 12))
    factor.set_yticks([0.25, 1, 4], ["1/4", "1", "4"])
    factor.minorticks_off()
    factor.set_title("linear layer, bias left out")
    factor.legend(loc="upper left")
    return fig


def scatter(axes: Axes, mean: np.ndarray, scaled: np.ndarray) -> None:
    """Points on the diagonal agree."""
    x, y = np.ravel(mean), np.ravel(scaled)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color="black", ls="--", lw=1)
    axes.plot(x, y, ".", ms=3, color=COLOURS[0])


def draw_diagram(axes: Axes) -> None:
    """002:710-717: one unit and its outgoing weight, in training and in evaluation."""
    rows = ((0.74, "in training", "the unit is there with probability $1-p$", "$w$", "--"),
            (0.24, "in evaluation", "the unit is always there", "$(1-p)\\,w$", "-"))  # fmt: skip
    for y, when, who, weight, line in rows:
        axes.text(0.5, y + 0.15, when, ha="center", fontweight="bold")
        for x in (0.14, 0.86):
            look = {"mfc": "white", "mec": COLOURS[0], "ls": "none", "mew": 2}
            axes.plot(x, y, "o", ms=26, **look)
        axes.annotate("", (0.78, y), (0.22, y), arrowprops={"arrowstyle": "->", "ls": line})
        axes.text(0.5, y + 0.03, weight, ha="center")
        axes.text(0.5, y - 0.1, who, ha="center", va="top", fontsize=10.5)
    axes.set(xlim=(-0.1, 1.1), ylim=(0, 1), xticks=[], yticks=[])
    axes.set_title("a unit and its outgoing weight, drop rate $p$")
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
