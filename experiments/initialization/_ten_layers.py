"""Ten equal layers as the lecture drew them: histograms, and what passes forward and back."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax.nn.initializers import Initializer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, interval
from jaxtricks import initializers, models, probes

DEPTH = 10
LAYERS = np.arange(1, DEPTH + 1)
Activation = Callable[[jax.Array], jax.Array]
QUANTITIES = {
    "rms": ("rms of the activations", "log"),
    "gradient": ("gradient's rms / layer 10's", "log"),
}
HALF = 0.5**0.5  # gain of half the variance


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples` of N(0, 1) inputs; `draws` of weights and inputs, all from `seed`."""

    width: int = 500
    examples: int = 200
    draws: int = 20
    seed: int = 0


SMOKE = Config(width=20, examples=16, draws=2)
FULL = Config(examples=1000, draws=50)


class Arm(NamedTuple):
    """`gain`: N_in times the variance of a weight, which theory asks for at the width; `look`.

    `batch_norm`: before every activation, by the batch.
    """

    initializer: Initializer
    activation: Activation
    gain: Callable[[int], float]
    color: str
    linestyle: str = "-"
    batch_norm: bool = False


SMALL = Arm(initializers.gaussian(std=0.01), jnp.tanh, lambda n: n * 1e-4, COLOURS[0])
LARGE = Arm(initializers.gaussian(std=1.0), jnp.tanh, lambda n: n, COLOURS[1])

ARMS = {
    "N(0, 0.01), tanh": SMALL,
    "N(0, 0.01), tanh, batch norm": SMALL._replace(linestyle=":", batch_norm=True),
    "variance 0.01, tanh": Arm(
        initializers.gaussian(var=0.01), jnp.tanh, lambda n: n * 1e-2, COLOURS[6], "--"
    ),
    "N(0, 1), tanh": LARGE,
    "N(0, 1), tanh, batch norm": LARGE._replace(linestyle=":", batch_norm=True),
    "Xavier, tanh": Arm(initializers.xavier(), jnp.tanh, lambda n: 1.0, COLOURS[2]),
    "Xavier, sigmoid": Arm(initializers.xavier(), nn.sigmoid, lambda n: 1.0, COLOURS[4]),
    "Xavier, ReLU": Arm(initializers.xavier(), nn.relu, lambda n: 1.0, COLOURS[3]),
    "He, ReLU": Arm(initializers.he(), nn.relu, lambda n: 2.0, COLOURS[5]),
    "Xavier / 2, ReLU": Arm(initializers.xavier(HALF), nn.relu, lambda n: 0.5, COLOURS[7], "--"),
}


def run(names: Sequence[str], config: Config, images: np.ndarray | None = None) -> dict[str, Any]:
    """`measure` of the arms of these names, and how."""
    how = {field.name: getattr(config, field.name) for field in dataclasses.fields(Config)}
    return {**how, "arms": {name: measure(ARMS[name], images=images, **how) for name in names}}


def measure(
    arm: Arm,
    *,
    width: int,
    examples: int,
    draws: int,
    seed: int = 0,
    bins: int = 40,
    images: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Of every draw of weights and inputs, by layer, the first draw's histograms too.

    Inputs are N(0, 1), `width` of them, or else rows of `images`.

    `rms`, `std`, `saturated`, `zero` and `kurtosis` of the activations `[draw, layer]`; `varies`,
    the rms over units of the deviation across examples; `gradient`, the rms of what a N(0, 1)
    gradient at the output becomes, as a multiple of that at layer 10.
    """
    found = []
    for key in jax.random.split(jax.random.key(seed), draws):
        keys = jax.random.split(key, 3)
        x, back = (jax.random.normal(key, (examples, width)) for key in keys[:2])
        if images is not None:
            x = jax.random.choice(keys[0], images, (examples,), replace=False)
        weights = draw(arm.initializer, keys[2], width, x.shape[1])
        seen = observe(arm.activation, bins, arm.batch_norm, weights, x, back)
        found.append(jax.device_get(seen))
    results = {name: np.stack([one[name] for one in found]) for name in found[0]}
    return {**results, "counts": results["counts"][0], **theory(arm, width)}


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def draw(
    initializer: Initializer, key: jax.Array, width: int, inputs: int
) -> tuple[jax.Array, jax.Array]:
    """The first kernel, and those of nine more layers and of one behind them."""
    first, *others = jax.random.split(key, DEPTH + 1)
    behind = jax.vmap(lambda key: initializer(key, (width, width), jnp.float32))
    return initializer(first, (inputs, width), jnp.float32), behind(jnp.stack(others))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def observe(
    activation: Activation, bins: int, batch_norm: bool, weights: Any, x: jax.Array, back: jax.Array
) -> dict[str, jax.Array]:
    """What `measure` says of one draw; compiled once for all starts with an activation."""
    width = back.shape[1]
    block = models.batch_norm_block if batch_norm else models.dense_block
    net = models.deep_mlp(DEPTH, width=width, activation=activation, block=block, classes=width)
    variables = net.init(jax.random.key(0), x, train=False)
    for layer, kernel in enumerate((weights[0], *weights[1])):
        variables["params"][f"Dense_{layer}"]["kernel"] = kernel
    given = (net, variables, x)
    place: dict[str, Any] = {"at": "input", "layers": nn.Dense, "train": batch_norm}
    values = probes.layer_values(*given, **place)
    gradients = probes.layer_gradients(lambda y: jnp.sum(y * back), *given, **place)
    hidden = jnp.stack([values[f"Dense_{layer}"] for layer in LAYERS])
    arrived = jnp.stack([gradients[f"Dense_{layer}"] for layer in LAYERS])
    edges = jnp.linspace(*span(activation), bins + 1)
    found = jax.vmap(lambda a: probes.statistics(a, edges=edges))(hidden)
    rms = jax.vmap(probes.statistics)(arrived).rms
    return {
        "rms": found.rms, "std": found.std, "saturated": found.share_saturated,
        "zero": found.share_zero, "kurtosis": found.excess_kurtosis, "counts": found.counts,
        "varies": jax.vmap(across_examples)(hidden), "gradient": rms / rms[-1],
    }  # fmt: skip


def span(activation: Activation) -> tuple[float, float]:
    """Of the histograms: what the activation can give, of ReLU most of it."""
    if activation is nn.relu:
        return 0.0, 3.0
    return (0.0, 1.0) if activation is nn.sigmoid else (-1.0, 1.0)


def across_examples(x: jax.Array) -> jax.Array:
    """The rms over units of their deviation over the examples."""
    return probes.statistics(x - jnp.mean(x, axis=0, keepdims=True)).rms


def theory(arm: Arm, width: int) -> dict[str, np.ndarray]:
    """Rms and deviation of activations, rms of gradients, of infinitely many units, by quadrature.

    $q_1 = N \\sigma^2$ for unit inputs, $q_{l+1} = N \\sigma^2 E[\\phi(\\sqrt{q_l} z)^2]$, and the
    gradient grows by $N \\sigma^2 E[\\phi'(\\sqrt{q_l} z)^2]$ from layer l + 1 to l. Batch norm
    makes every $q_l$ 1, and divides the gradient by the deviation that it took away (of many
    independent examples, and activations of mean 0).
    """
    gain, points, weights = arm.gain(width), *_normal_quadrature()
    means, squares, back, q = [], [], [], gain
    for _ in LAYERS:
        scale = 1.0 if arm.batch_norm else np.sqrt(q)
        value, slope = value_and_slope(arm.activation, np.float32(scale * points))
        means.append(float(np.sum(weights * np.asarray(value, np.float64))))
        squares.append(float(np.sum(weights * np.asarray(value, np.float64) ** 2)))
        removed = q if arm.batch_norm else 1.0
        back.append(gain * float(np.sum(weights * np.asarray(slope, np.float64) ** 2)) / removed)
        q = gain * squares[-1]
    # Into layer l come the slopes of layers l + 1 to 10.
    growth = np.append(np.cumprod(back[:0:-1])[::-1], 1.0)
    return {
        "theory_rms": np.sqrt(squares),
        "theory_std": np.sqrt(np.array(squares) - np.square(means)),
        "theory_gradient": np.sqrt(growth),
    }


@functools.partial(jax.jit, static_argnums=0)
def value_and_slope(activation: Activation, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of an activation at each entry."""
    return jax.vmap(jax.value_and_grad(activation))(z)


def _normal_quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Points and weights over eight deviations; 0 is none of them, for ReLU has no slope there."""
    points = np.linspace(-8, 8, 20_000)
    density = np.exp(-(points**2) / 2)
    return points, density / density.sum()


def draw_histograms(
    results: Mapping[str, Any],
    names: Sequence[str],
    quantities: Mapping[str, tuple[str, str]] = QUANTITIES,
    inputs: str = "N(0, 1) inputs",
    outlines: Mapping[str, np.ndarray] | None = None,
    further: Sequence[Callable[[Axes], None]] = (),
) -> Figure:
    """Panel a: one row of ten histograms for each arm. Below from b: `quantities` by layer.

    `quantities`: key of the results -> (label of the axis, "log" or "linear"); `outlines`: shares
    in % of each bin, by arm and layer, that are drawn as black lines; `further`: panels behind.
    """
    heights = [1.5 * len(names) + 0.5, 4.2]
    fig = plt.figure(figsize=(15, sum(heights)))
    parts: Any = fig.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    for row, name in zip(above.subplots(len(names), DEPTH, squeeze=False), names, strict=True):
        _histogram_row(row, name, results, (outlines or {}).get(name))
    for layer, axes in enumerate(above.axes[:DEPTH], start=1):
        axes.set_title(f"layer {layer}\n{axes.get_title()}", fontsize=10)
    for axes in above.axes[-DEPTH:]:
        axes.set_xlabel("activation", fontsize=10)
    left = {"x": 0.01, "ha": "left", "fontsize": 12}
    cut = " (without the first, of the zeros)" * any(ARMS[n].activation is nn.relu for n in names)
    above.suptitle(
        rf"$\bf{{a}}$  {DEPTH} layers of {results['width']} units, {inputs}, first draw; number in "
        f"each histogram: share in its highest bin{cut}",
        **left,
    )
    below.suptitle(
        f"mean and 95 % of {results['draws']} draws; dots: infinite width, N(0, 1) inputs", **left
    )
    panels = below.subplots(1, len(quantities) + len(further))
    for axes, (key, (label, scale)) in zip(panels, quantities.items(), strict=False):
        lines(axes, results["arms"], names, key)
        axes.set(ylabel=label, yscale=scale)
    for axes, draw_panel in zip(panels[len(quantities) :], further, strict=True):
        draw_panel(axes)
    for letter, axes in zip("bcd", panels, strict=False):
        axes.set_title(letter, loc="left", fontweight="bold")
    panels[0].legend(loc="best")
    return fig


def _histogram_row(
    row: Sequence[Axes], name: str, results: Mapping[str, Any], outline: np.ndarray | None
) -> None:
    found, activation = results["arms"][name], ARMS[name].activation
    low, high = span(activation)
    edges = np.linspace(low, high, len(found["counts"][0]) + 1)
    first = int(activation is nn.relu)  # its zeros are in bin 0
    x, side = (0.97, "right") if activation is nn.relu else (0.03, "left")
    for layer, axes in enumerate(row):
        share = shares(results, name)[layer]
        axes.stairs(share, edges, fill=True, color=ARMS[name].color)
        largest = top = share[first:].max()
        if outline is not None:
            axes.stairs(outline[layer], edges, color="black", linewidth=0.9)
            top = max(top, outline[layer][first:].max())
        axes.set(xticks=[low, (low + high) / 2, high], yticks=[], ylim=(0, 1.4 * max(top, 1)))
        axes.set_title(f"std {found['std'][0, layer]:.2g}", fontsize=10)
        look = {"va": "top", "ha": side, "fontsize": 9, "transform": axes.transAxes}
        axes.text(x, 0.98, f"{largest:.2g} %", **look)
        axes.grid(visible=False)
        axes.tick_params(labelsize=9)
        axes.xaxis.set_major_formatter("{x:g}")
    row[0].set_ylabel(re.sub(", (?=[A-Za-z])", "\n", name), fontsize=10)


def shares(results: Mapping[str, Any], name: str) -> np.ndarray:
    """Activations of the first draw in each bin, in % `[layer, bin]`."""
    return 100 * results["arms"][name]["counts"] / results["examples"] / results["width"]


def lines(axes: Axes, arms: Mapping[str, Any], names: Sequence[str], key: str) -> None:
    """A quantity by layer: mean and 95 % of the draws, and theory where there is one."""
    for name in names:
        rows = np.array([interval(column) for column in arms[name][key].T])
        look = {"color": ARMS[name].color, "linestyle": ARMS[name].linestyle, "label": name}
        band(axes, LAYERS, *rows.T, **look)
        if f"theory_{key}" in arms[name]:
            axes.plot(LAYERS, arms[name][f"theory_{key}"], "k.", ms=5)
    axes.set(xlabel="layer", xticks=LAYERS)


def at_depth(results: Mapping[str, Any], name: str, key: str) -> np.ndarray:
    """Of every draw: log10 of a quantity at layer 10 over that at layer 1."""
    rows = results["arms"][name][key]
    return np.log10(rows[:, -1] / rows[:, 0])


def scope(results: Mapping[str, Any], activation: str) -> str:
    """Of a verdict on these layers."""
    return (
        f"{results['examples']} N(0, 1) inputs, {DEPTH} layers of {results['width']} {activation} "
        "units without bias or batch norm, at the start (no update), float32"
    )
