"""Which variance of the weights keeps the signal, and which the gradient?

The lecture (004:360-390): o = sum of N_in products, so Var[o] = N_in sigma^2 gamma^2, and the
gradient's with N_out; both are kept if N_in sigma^2 = N_out sigma^2 = 1, hence 2 / (N_in + N_out).
Its derivation loses the sum and turns a product into a sum (E-10), its conclusion sounds as if both
held (E-56), and its He is 4 / (N_in + N_out) (E-08). Sums of 10, 100 and 500 products, over the
law; linear layers of equal widths and those of 784-256-128-64-32-10, each with N(0, 1) inputs and
gradients, whose variance must be kept to 5 %; and ReLU through all of the unequal ones. As a
control, layers of equal widths must keep both.

Command: python -m experiments --only which_variance_keeps_signal_and_gradient     (CPU, a minute)
"""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    LITERAL,
    RIGHT,
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    demonstration,
    figure,
    interval,
    mean,
    tolerance,
)
from jaxtricks import initializers

CLAIMS = ("C-094",)
ERRATA = ("E-08", "E-10", "E-56")
TIER = 2

PLANS = {
    "C-094": Plan(
        effects={"gain": 0.05},
        gates=("pos",),
        settings={"variance of weights": 0.04, "of inputs": 2.0, "sums a draw": 1000},
    )
}
STARTS = {
    "Xavier": (initializers.xavier(), COLOURS[2]),
    "forward only": (initializers.lecun(), COLOURS[0]),
    "backward only": (initializers.fan_out(), COLOURS[4]),
}
HE = {"2 / N_in": initializers.he("fan_in"), "4 / (N_in + N_out)": initializers.he("fan_avg")}
RELU_LOOKS = dict(zip(HE, (RIGHT, LITERAL), strict=True))
SIDES = ("forward", "backward")


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws` of every layer's weights, with `examples` inputs each.

    `inputs`: N of the sums; `equal`: widths of square layers; `sizes`: of the unequal ones. The
    `outputs` sums of a draw have weights of the variance `sigma2` and inputs of `gamma2`.
    """

    sigma2: float = 0.04
    gamma2: float = 2.0
    outputs: int = 1000
    inputs: tuple[int, ...] = (10, 100, 500)
    equal: tuple[int, ...] = (64, 256)
    sizes: tuple[int, ...] = (784, 256, 128, 64, 32, 10)
    examples: int = 50
    draws: int = 1000
    seed: int = 15_094


SMOKE = Config(inputs=(20,), equal=(20,), sizes=(20, 10, 5), draws=5)
FULL = Config(examples=200, draws=5000)


def run(config: Config) -> dict[str, Any]:
    """By draw, over 1: the sums' variance over the law, layers' gains, squares of a ReLU net."""
    keys = jax.random.split(jax.random.key(config.seed), config.draws)
    equal = [(width, width) for width in config.equal]
    unequal = list(zip(config.sizes[:-1], config.sizes[1:], strict=True))

    def one(key: jax.Array) -> dict[str, Any]:
        def each(draw: Any, shapes: list[tuple[int, int]]) -> jax.Array:
            return jnp.stack([gains(key, draw, shape, config) for shape in shapes])

        return {
            "sums": jnp.stack([one_sum(key, size, config) for size in config.inputs]),
            "equal": each(initializers.xavier(), equal),
            "gains": {name: each(draw, unequal) for name, (draw, _) in STARTS.items()},
            "relu": {name: through_relu(key, draw, config) for name, draw in HE.items()},
        }

    found = jax.jit(lambda keys: jax.lax.map(one, keys))(keys)
    found = jax.tree.map(lambda values: np.round(np.asarray(values, float), 4), found)
    kept = ("inputs", "sizes", "examples", "draws", "sigma2", "gamma2")
    fixed = {name: getattr(config, name) for name in kept}
    return {**fixed, "equal_widths": config.equal, **found}


def one_sum(key: jax.Array, inputs: int, config: Config) -> jax.Array:
    """Variance of N weighted inputs over N sigma^2 gamma^2, inputs of mean 0 and of mean 1."""
    keys = jax.random.split(key, 2)
    weights = config.sigma2**0.5 * jax.random.normal(keys[0], (inputs, config.outputs))
    x = config.gamma2**0.5 * jax.random.normal(keys[1], (config.examples, inputs))
    squares = jnp.stack([jnp.mean(jnp.square((x + shift) @ weights)) for shift in (0.0, 1.0)])
    return squares / (inputs * config.sigma2 * config.gamma2)


def gains(key: jax.Array, draw: Any, shape: tuple[int, int], config: Config) -> jax.Array:
    """Of one layer: variance of what leaves it, forward and back, over what enters."""
    keys = jax.random.split(key, 3)
    weights = draw(keys[0], shape)
    x = jax.random.normal(keys[1], (config.examples, shape[0]))
    back = jax.random.normal(keys[2], (config.examples, shape[1]))
    return jnp.stack([jnp.mean(jnp.square(x @ weights)), jnp.mean(jnp.square(back @ weights.T))])


def through_relu(key: jax.Array, draw: Any, config: Config) -> jax.Array:
    """Mean square of the pre-activations of each layer, over that of the first one at 2 / N_in."""
    x, found = jax.random.normal(key, (config.examples, config.sizes[0])), []
    for layer, shape in enumerate(zip(config.sizes[:-1], config.sizes[1:], strict=True)):
        x = jax.nn.relu(x) if layer else x
        x = x @ draw(jax.random.fold_in(key, layer), shape)
        found.append(jnp.mean(jnp.square(x)) / 2)
    return jnp.stack(found)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-094 if the law holds and Xavier keeps both variances; the errata by what goes wrong."""
    shapes = unequal_shapes(results)
    gains = results["gains"]["Xavier"].mean(axis=0)
    largest, sigma2, gamma2 = results["inputs"][-1], results["sigma2"], results["gamma2"]
    product, printed = largest * sigma2 * gamma2, largest * (sigma2 + gamma2)
    zero, one = product * results["sums"][:, -1].mean(axis=0)
    relu = {name: rows[:, -1].mean() for name, rows in results["relu"].items()}
    right, literal = HE
    expected = float(np.prod([law("Xavier", *shape)[0] for shape in shapes]))
    return [
        judge_both(results),
        demonstration(
            "E-10",
            bool(abs(zero / product - 1) < 0.05 and one > 1.2 * product),
            f"variance of {largest} products {zero:.4g}, where the product of the variances is "
            f"{product:.4g} and the printed sum {printed:.4g}; inputs of mean 1 give {one:.4g}",
        ),
        demonstration(
            "E-56",
            bool((gains[:, 0] > 1.1).all() and (gains[:, 1] < 0.9).all()),
            "Xavier's gains forward and back: "
            + "; ".join(
                f"{gains[i, 0]:.3g}, {gains[i, 1]:.3g} at {shapes[i][0]} to {shapes[i][1]}"
                for i in (0, -1)
            ),
            panel="a",
        ),
        demonstration(
            "E-08",
            bool(abs(relu[literal] / expected - 1) < 0.2 and abs(relu[right] - 1) < 0.2),
            f"mean square after {'-'.join(map(str, results['sizes']))}: {relu[literal]:.3g} with "
            f"{literal} (law {expected:.3g}), {relu[right]:.3g} with {right}",
            panel="c",
        ),
    ]


def judge_both(results: dict[str, Any]) -> Verdict:
    """The law of sums; Xavier's gains at all shapes; as a control those of equal widths."""
    found, equal = results["gains"], results["equal"]
    sums = judge_gains("variance of N products over the law", results["sums"][..., 0], "")
    kept = [
        judge_gains(
            f"Xavier's {side} gain of a layer",
            np.concatenate([equal[..., i], found["Xavier"][..., i]], axis=1),
            "ab"[i],
        )
        for i, side in enumerate(SIDES)
    ]
    controls = [
        judge_gains(f"{side} at equal widths", equal[..., i], "") for i, side in enumerate(SIDES)
    ]
    texts = [f"{c.text}, {c.estimate:.4f} [{c.low:.4f}, {c.high:.4f}]" for c in controls]
    laws = {name: [law(name, *shape) for shape in unequal_shapes(results)] for name in STARTS}
    fits = [
        f"{name}: the gains are off their laws by {100 * abs(gains / laws[name] - 1).max():.1f} % "
        "or less"
        for name, gains in {name: rows.mean(axis=0) for name, rows in found.items()}.items()
    ]
    return all_of(
        "C-094",
        [sums, *kept],
        gates=[Gate("pos", all(c.outcome == "confirmed" for c in controls), "; ".join(texts))],
        scope=f"sums of {', '.join(map(str, results['inputs']))} products; linear layers of equal "
        f"widths {', '.join(map(str, results['equal_widths']))} and of "
        f"{'-'.join(map(str, results['sizes']))}, {results['examples']} N(0, 1) inputs and "
        f"gradients, {results['draws']} draws, no update, float32",
        beside=fits,
    )


def judge_gains(text: str, rows: np.ndarray, panel: str) -> Part:
    """Whether the mean over draws of each column is 1, to the smallest effect that matters."""
    within, points = PLANS["C-094"].effects["gain"], [mean(column) for column in rows.T]
    return tolerance(text, points, within=within, target=1.0, panel=panel)


def unequal_shapes(results: dict[str, Any]) -> list[tuple[int, int]]:
    return list(zip(results["sizes"][:-1], results["sizes"][1:], strict=True))


def law(name: str, n_in: int, n_out: int) -> tuple[float, float]:
    """Variance gains forward and back."""
    weight = {"Xavier": 2 / (n_in + n_out), "forward only": 1 / n_in, "backward only": 1 / n_out}
    return n_in * weight[name], n_out * weight[name]


def draw(results: dict[str, Any]) -> Figure:
    """Gains of each layer, forward and back; the mean square through a ReLU net."""
    fig, panels = figure(1, 3, width=5.4, height=4.4)
    shapes = unequal_shapes(results)
    equal = [(width, width) for width in results["equal_widths"]]
    at = np.arange(len(shapes))
    for side, axes in enumerate(panels[:2]):
        points(axes, -1.0 - np.arange(len(equal)), results["equal"][..., side], COLOURS[2], "")
        for place, (name, (_, colour)) in enumerate(STARTS.items()):
            shifted = at + 0.22 * (place - 1)
            points(axes, shifted, results["gains"][name][..., side], colour, name)
            axes.plot(shifted, [law(name, *s)[side] for s in shapes], "_", color=colour, ms=16)
        axes.set_title(f"variance of the {('signal', 'gradient')[side]}, after / before")
        axes.set_ylabel("gain of one linear layer")
        axes.legend(loc=("lower left", "upper left")[side], ncols=3, columnspacing=1)
        gain_axes(axes, [*equal[::-1], *shapes], at=-len(equal), limits=(0.2, 5))
    forms = np.ones(len(shapes)), np.cumprod([law("Xavier", *s)[0] for s in shapes])
    for (name, colour), form in zip(RELU_LOOKS.items(), forms, strict=True):
        points(panels[2], at, results["relu"][name], colour, name)
        panels[2].plot(form, "_", color=colour, ms=16)
    panels[2].set_title("ReLU net: mean square up to a layer")
    panels[2].set_ylabel("mean square / first at $2/N_{in}$")
    panels[2].legend(loc="upper left")
    gain_axes(panels[2], shapes, at=0, limits=(0.5, 10))
    for axes in panels:
        axes.set_xlabel(f"layer; mean and 95 % of {results['draws']} draws, strokes: the law")
    return fig


def points(axes: Axes, at: np.ndarray, rows: np.ndarray, colour: str, name: str) -> None:
    """Means over the draws with their 95 % intervals."""
    found = np.array([interval(column) for column in rows.T])
    bars = np.abs(found[:, 1:].T - found[:, 0])
    label = re.sub("_(in|out)", r"$_{\1}$", name)
    axes.errorbar(at, found[:, 0], bars, fmt="o", ms=5, color=colour, label=label)


def gain_axes(
    axes: Axes, shapes: list[tuple[int, int]], at: int, limits: tuple[float, float]
) -> None:
    """Ticks of layers from place `at` on, and of gains."""
    axes.axhline(1, color="black", linewidth=0.8)
    places = range(at, at + len(shapes))
    axes.set_xticks(places, [f"{a}\nto {b}" for a, b in shapes], fontsize=10.5)
    ticks = [0.2, 0.5, 1, 2, 5, 10]
    axes.set_yscale("log")
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(limits)
    axes.minorticks_off()
