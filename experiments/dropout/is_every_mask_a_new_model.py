"""Is every mask a new model, trained by one datum once?

003:55-57 says so, with a mask for each datum; 004:733 trains one network with each mini-batch, so
with a mask that the batch shares (E-33). C-076: the masks of a run are drawn by the dropout layers
of 001's network (two hidden layers of 200 units, drop rate 0.5), for 60,000 examples in each of 5
epochs; a mask is all bits of both layers together. No mask may come twice in a run, and no mask may
have more than one example. As a control, masks of two layers of 4 units must repeat; the mask that
a batch of 128 shares stands beside. E-33 is measured by the variance of the mean gradient of a
batch of digits over 200 draws of masks. E-74 is that sub-networks cannot share parameters well
(003:55): a step of gradient descent, of length 0.01 of the weights, is taken by one sub-network
alone, and the losses of another and of the whole network are measured.

Command: python -m experiments --only is_every_mask_a_new_model      (CPU, about 30 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    convention,
    data_name,
    demonstration,
    figure,
    holds,
    interval,
)
from jaxtricks import models
from jaxtricks.regularizers import Dropout

FIGURES = ()
CLAIMS = ("C-076",)
ERRATA = ("E-33", "E-74")
TIER = 2

RATE, WIDTH, NARROW, STEP = 0.5, 200, 4, 0.01
PIXELS = 64  # of digits
PLANS = {
    "C-076": Plan(
        effects={"repeats": 0.0, "rows of a mask": 1.0},
        gates=("width 4",),
        settings={"drop rate": RATE, "width": WIDTH},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`widths` of both layers, 4 first and 200 last; `draws` of masks for a gradient's variance."""

    examples: int = 60_000
    epochs: int = 5
    batch: int = 128
    widths: tuple[int, ...] = (4, 8, 12, 16, 200)
    draws: int = 200
    seeds: int = 10
    seed: int = 16_076


SMOKE = Config(examples=512, epochs=1, widths=(4, 200), draws=10, seeds=2)
FULL = Config(epochs=50)


def run(config: Config) -> dict[str, Any]:
    """Repeats by width and seed, rows of a mask, and what gradients and steps do."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    repeats, rows = [], []
    for width in config.widths:
        counts = [most_common(run_masks(config, width, key)) for key in keys]
        repeats.append([seen for seen, _ in counts])
        rows.append([most for _, most in counts])
    shared = most_common(run_masks(config, WIDTH, keys[0], shared=True), rows=config.batch)
    images = lab.read("digits", pool=2000, validation=200)
    batch = jax.tree.map(lambda leaf: leaf[: config.batch], images.pool)
    found = jax.lax.map(functools.partial(gradients, batch, config.draws), keys)
    return {
        "data_set": images.name,
        "widths": config.widths,
        "repeats": repeats,
        "rows": rows,
        "shared rows": shared[1],
        "masks": config.examples // config.batch * config.batch * config.epochs,
        "batch": config.batch,
        "draws": config.draws,
        **jax.device_get(found),
    }


def net(width: int, mask_axes: tuple[int, ...] | None = None) -> models.MLP:
    """001's network, with the masks of each example or of the batch."""
    block = shared_block if mask_axes else own_block
    return models.MLP((width, width, 10), dropout_rates=RATE, block=block)


def own_block(hidden: models.HiddenLayer) -> tuple[Callable[..., jax.Array], ...]:
    """Dense, dropout with a mask for each example, activation."""
    return nn.Dense(hidden.features), Dropout(hidden.dropout_rate), hidden.activation


def shared_block(hidden: models.HiddenLayer) -> tuple[Callable[..., jax.Array], ...]:
    """Dense, dropout with one mask for the batch, activation."""
    dropout = Dropout(hidden.dropout_rate, mask_axes=(1,))
    return nn.Dense(hidden.features), dropout, hidden.activation


def run_masks(config: Config, width: int, key: jax.Array, *, shared: bool = False) -> np.ndarray:
    """The masks of a run as bytes `[mask, byte]`, in the order of the updates."""
    steps = config.examples // config.batch * config.epochs
    model = net(width, (1,) if shared else None)
    return np.asarray(drawn(model, config.batch, steps, key)).reshape(-1, -(-2 * width // 8))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def drawn(model: models.MLP, batch: int, steps: int, key: jax.Array) -> jax.Array:
    """What both dropout layers sow at every step, `[step, mask, byte]`; the key as a trainer's."""
    images = jnp.zeros((batch, 784))
    variables = model.init(key, images, train=False)

    def step(number: jax.Array) -> jax.Array:
        rngs = {"dropout": jax.random.fold_in(key, number)}
        _, sown = model.apply(variables, images, train=True, rngs=rngs, mutable=["masks"])
        layers = [layer["keep"][0] for _, layer in sorted(sown["masks"].items())]
        return jnp.packbits(jnp.concatenate(layers, axis=1), axis=1)

    return jax.lax.map(step, jnp.arange(steps))


def most_common(masks: np.ndarray, *, rows: int = 1) -> tuple[int, int]:
    """How many masks were there before, and the most examples of one mask, `rows` at a time."""
    one = np.dtype((np.void, masks.shape[1]))
    _, counts = np.unique(np.ascontiguousarray(masks).view(one), return_counts=True)
    return len(masks) - len(counts), rows * int(counts.max())


@functools.partial(jax.jit, static_argnums=1)
def gradients(batch: Any, draws: int, key: jax.Array) -> dict[str, jax.Array]:
    """Variance of the batch's gradient over masks, own and shared; and E-74's step."""
    images, labels = batch["image"] / 255.0, batch["label"]
    own, shared = net(WIDTH), net(WIDTH, (1,))
    variables = own.init(key, images, train=False)

    def loss(model: models.MLP, given: Any, key: jax.Array | None) -> jax.Array:
        rngs = {} if key is None else {"dropout": key}
        logits = model.apply(given, images, train=key is not None, rngs=rngs)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -jnp.mean(chosen)

    def variance(model: models.MLP) -> jax.Array:
        def add(sums: Any, key: jax.Array) -> Any:
            found = jax.grad(functools.partial(loss, model))(variables, key)
            change = jax.tree.map(lambda g, mean: g - mean, found, sums[0])
            mean = jax.tree.map(lambda m, c: m + c / (sums[2] + 1), sums[0], change)
            square = sum(
                jnp.vdot(c, g - m)
                for c, g, m in zip(*map(jax.tree.leaves, (change, found, mean)), strict=True)
            )
            return (mean, sums[1] + square, sums[2] + 1), None

        zero = jax.tree.map(jnp.zeros_like, variables)
        keys = jax.random.split(jax.random.fold_in(key, 1), draws)
        return jax.lax.scan(add, (zero, 0.0, 0.0), keys)[0][1] / (draws - 1)

    one, other = jax.random.split(jax.random.fold_in(key, 2))
    gradient = jax.grad(functools.partial(loss, shared))(variables, one)
    length = STEP * optax.tree.norm(variables) / optax.tree.norm(gradient)
    moved = jax.tree.map(lambda w, g: w - length * g, variables, gradient)
    touched = jax.tree.map(lambda w, m: w != m, variables, moved)["params"]

    def part(key: jax.Array) -> Any:
        rngs = {"dropout": key}
        _, sown = shared.apply(variables, images, train=True, rngs=rngs, mutable=["masks"])
        return parameters_of([layer["keep"][0][0] for _, layer in sorted(sown["masks"].items())])

    def gain(key: jax.Array | None) -> jax.Array:
        return loss(shared, variables, key) - loss(shared, moved, key)

    ours, theirs = part(one), part(other)
    both = jax.tree.map(jnp.logical_and, ours, theirs)
    beyond = jax.tree.map(lambda t, o: t & ~o, touched, ours)
    return {
        "own variance": variance(own),
        "shared variance": variance(shared),
        "gains": jnp.stack([gain(one), gain(other), gain(None)]),
        "in both": count(both) / count(theirs),
        "of all": count(ours) / count(jax.tree.map(jnp.ones_like, ours)),
        "beyond": count(beyond),
    }


def parameters_of(masks: list[jax.Array]) -> dict[str, dict[str, jax.Array]]:
    """Which of the network's parameters belong to the sub-network of two masks."""
    first, second = masks
    every = jnp.ones(10, bool)
    rows = {"Dense_0": jnp.ones(PIXELS, bool), "Dense_1": first, "Dense_2": second}
    columns = {"Dense_0": first, "Dense_1": second, "Dense_2": every}
    return {
        name: {"kernel": jnp.outer(rows[name], columns[name]), "bias": columns[name]}
        for name in rows
    }


def count(tree: Any) -> jax.Array:
    return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree))


def expected_repeats(width: np.ndarray, masks: float) -> np.ndarray:
    """The mean number of masks that were there before, if all masks are as likely."""
    kinds = 2.0 ** (2 * width)
    return masks + kinds * np.expm1(masks * np.log1p(-1 / kinds))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-076 by the counts at 200 units in every run; E-74 if a step of one sub-network touches no
    parameter beyond its own, and helps another and the whole one in every draw."""
    repeats, rows, masks = results["repeats"], results["rows"], results["masks"]
    runs, narrow = repeats.shape[1], list(results["widths"]).index(NARROW)
    ratio = results["shared variance"] / results["own variance"]
    gains = results["gains"]
    texts = ["{:.3f} [{:.3f}, {:.3f}]".format(*interval(column)) for column in gains.T]
    return [
        all_of(
            "C-076",
            [
                holds(
                    f"repeated masks in a run of {masks:.0f}: at most {repeats[-1].max():.0f}, in "
                    f"{runs} runs",
                    repeats[-1].max() == 0,
                    panel="a",
                ),
                holds(
                    f"most examples of one mask: {rows[-1].max():.0f}",
                    rows[-1].max() == 1,
                ),
            ],
            gates=[
                Gate(
                    "width 4",
                    repeats[narrow].min() > 0,
                    f"two layers of {NARROW} units repeat {repeats[narrow].min():.0f} of "
                    f"{masks:.0f} masks or more",
                )
            ],
            scope=f"an MLP with two hidden layers of {WIDTH} units, drop rate {RATE}, a mask for "
            f"each example, {masks:.0f} masks a run, {runs} runs",
            beside=[
                f"with one mask for a batch of {results['batch']:.0f}, a mask has "
                f"{results['shared rows']:.0f} examples (E-33)",
            ],
        ),
        convention(
            "E-33",
            "variance of a batch's gradient over masks, one mask for the batch over one for each "
            "example: {:.2f} [{:.2f}, {:.2f}]".format(*interval(ratio))
            + f" ({data_name(results['data_set'])}, batch {results['batch']:.0f}, first weights, "
            f"{runs} draws)",
        ),
        demonstration(
            "E-74",
            bool(results["beyond"].max() == 0 and gains.min() > 0),
            f"a step of one sub-network ({100 * results['of all'].mean():.0f} % of the parameters, "
            f"no other changes) lowers its loss by {texts[0]}, that of another, which has "
            f"{100 * results['in both'].mean():.0f} % of its parameters in common, by {texts[1]}, "
            f"the whole network's by {texts[2]}",
            panel="c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Repeats against the birthday law, variances of both kinds of masks, and E-74's gains."""
    fig, (repeats, variances, gains) = figure(1, 3, width=5.0, height=4.6)
    draw_repeats(repeats, results)
    names = {
        "own variance": "one mask for\neach example",
        "shared variance": "one mask for\nthe batch",
    }
    bars(variances, [interval(results[name]) for name in names], list(names.values()))
    variances.set_ylabel("variance of the batch's gradient")
    seeds = len(results["gains"])
    variances.set_title(f"over {results['draws']:.0f} masks, with 95 % of {seeds} seeds")
    bars(gains, [interval(column) for column in results["gains"].T],
         ["the sub-network\nthat steps", "another\nsub-network", "the whole\nnetwork"])  # fmt: skip
    gains.set(ylabel="loss before minus loss after (nats)")
    gains.set_title(f"one step, with 95 % of {seeds} seeds")
    return fig


def bars(axes: Axes, rows: list[tuple[float, float, float]], names: list[str]) -> None:
    """Means with their intervals."""
    values, lows, highs = np.array(rows).T
    ends = np.array([values - lows, highs - values])
    axes.bar(names, values, yerr=ends, capsize=5, color=COLOURS[: len(names)], width=0.6)
    axes.grid(visible=False, axis="x")


def draw_repeats(axes: Axes, results: dict[str, Any]) -> None:
    """The share of masks that were there before, by the bits of a mask."""
    masks, widths = results["masks"], np.asarray(results["widths"], float)
    dense = np.geomspace(widths[0], widths[-1], 400)
    law = 100 * expected_repeats(dense, masks) / masks
    axes.plot(2 * dense, law, color="black", lw=1, label="law: all masks as likely")
    found = 100 * results["repeats"].mean(axis=1) / masks
    axes.plot(2 * widths, found, "o", color=COLOURS[0], label="as drawn")
    axes.set_xscale("log", base=2)
    axes.set_xticks(2 * widths, [f"{2 * width:.0f}" for width in widths])
    axes.minorticks_off()
    axes.set(xlabel="units of both layers together", ylabel="masks seen before in the run, %")
    axes.set_title(f"{masks:,.0f} masks of a run")
    axes.legend(loc="upper right")
