"""Which statistics should batch norm use in the test?

The lecture has three: the average over training batches with N / (N - 1) (002:80-88), the whole
training set, "ideal" (004:514-515), and the moving average (004:517-522). And a trap: averaging the
batches of the whole run mixes the statistics of weights that are long gone (E-38): their mean is
E(mu_b) only while the weights stand still (E-94, of the first layer). The paper's network, plain
SGD at one rate, the same number of examples in batches of 2 to 256. Fixed before the run: ideal
means that no other is better by 0.25 points, in the mean over the batch sizes.

Command: python -m experiments --only which_test_statistics_are_best
(CPU, about 80 s; MNIST halved in size where there is any, else digits)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import networks, races
from experiments.engine import COLOURS, band, data_name, figure, interval
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.normalization import _sigmoid_net as sigmoid_net
from jaxtricks import averaging, optimizers

FIGURES = ("F-051",)
CLAIMS = ("C-110",)
ERRATA = ("E-38", "E-94")
TIER = 2

WHOLE, MOVING, BATCHES, RUN = STATISTICS = (
    "whole set", "moving average", "training batches", "batches of the whole run",
)  # fmt: skip
MARGIN = 0.25  # percentage points
DECAY = 0.9  # of the network's moving average
LAYER = "BatchNorm_2"  # whose first unit is followed
FIRST = "BatchNorm_0"  # whose inputs no other batch norm changes
ROUNDING = 1e-4  # of a deviation


@dataclasses.dataclass(frozen=True)
class Config:
    """`epochs` of `count` images less a fifth, in batches of each of the `sizes`."""

    data_set: str = "mnist"
    count: int = 5000
    hidden: tuple[int, ...] = (100, 100, 100)
    sizes: tuple[int, ...] = (2, 8, 32, 128, 256)
    shown: int = 32
    rate: float = 0.1
    epochs: int = 4
    marks: int = 10
    seeds: int = 5


SMOKE = Config("digits", 200, hidden=(4, 4, 4), sizes=(8,), shown=8, epochs=1, marks=2, seeds=2)
FULL = Config(count=60_000, epochs=20, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Test errors in percent `[size, seed]` for each kind; one unit's means over a run."""
    images = races.read(config.data_set, config.count)
    keys = jax.random.split(jax.random.key(0), config.seeds)
    errors: dict[str, list] = {name: [] for name in STATISTICS}
    found: dict[str, Any] = {"data_set": images.name, "sizes": config.sizes}
    for size in config.sizes:
        one = functools.partial(train, config, images, size)
        ended = jax.device_get(jax.jit(lambda keys, one=one: jax.lax.map(one, keys))(keys))
        for name in STATISTICS:
            errors[name].append(ended["errors"][name])
        if size == config.shown:
            found["paths"] = {name: values[0] for name, values in ended["paths"].items()}
            found |= {key: ended[key] for key in ("gap", "apart")}
    return {**found, "errors": errors, "shown": config.shown}


def train(config: Config, images: races.Images, size: int, key: jax.Array) -> dict[str, Any]:
    """One run: errors with each kind of statistics, a unit's paths, the gap at the marks, and how
    far the first layer's means over batches are from the whole set's at the end."""
    net = sigmoid_net.network(sigmoid_net.NORMED, {}, hidden=config.hidden)
    ours, fit = networks.trainer(net, optimizers.gradient_descent(config.rate)), images.fit
    keys = jax.random.split(key, 2)
    state = ours.init(networks.first_variables(net, keys[0], fit))
    part = len(fit["label"]) * config.epochs // size // config.marks
    order = networks.order_of(keys[1], len(fit["label"]), part * config.marks, size).indices

    def apply(variables: Any, rows: jax.Array, *, train: bool = True) -> Any:
        return net.apply(variables, rows, train=train, mutable=["batch_stats"])[1]

    def update(carry: tuple, rows: jax.Array) -> tuple[tuple, dict[str, jax.Array]]:
        state, total = carry
        batch = {name: jnp.asarray(values)[rows] for name, values in fit.items()}
        after, _ = ours.step(state, batch, key)
        own = jax.tree.map(
            lambda new, old: (new - DECAY * old) / (1 - DECAY),
            after.model_state["batch_stats"], state.model_state["batch_stats"],
        )  # fmt: skip
        means = {"moving": after.model_state["batch_stats"][LAYER]["mean"][0]}
        total = jax.tree.map(jnp.add, total, own)
        return (after, total), {**means, "batch": own[LAYER]["mean"][0]}

    def until_mark(carry: tuple, rows: jax.Array) -> tuple[tuple, dict[str, jax.Array]]:
        carry, means = jax.lax.scan(update, carry, rows)
        whole = averaging.recalibrate_batch_norm(
            apply, ours.variables(carry[0]), as_float(fit["image"]), len(fit["label"])
        )
        mean = whole["batch_stats"][LAYER]["mean"]
        moving = carry[0].model_state["batch_stats"][LAYER]["mean"]
        gap = jnp.linalg.norm(moving - mean) / jnp.linalg.norm(mean)
        return carry, {**means, "whole": mean[0], "gap": gap}

    start = state, jax.tree.map(jnp.zeros_like, state.model_state["batch_stats"])
    (state, total), seen = jax.lax.scan(until_mark, start, order.reshape(config.marks, part, size))
    variables, inputs = ours.variables(state), as_float(fit["image"])
    batches = averaging.recalibrate_batch_norm(apply, variables, inputs, size)["batch_stats"]
    stats = {
        WHOLE: averaging.measure_batch_norm(
            functools.partial(apply, train=False), variables, inputs, min(500, len(inputs))
        )["batch_stats"],
        MOVING: variables["batch_stats"],
        BATCHES: unbiased(batches, size),
        RUN: unbiased(jax.tree.map(lambda x: x / order.shape[0], total), size),
    }

    def error(own: Any) -> jax.Array:
        sums = ours.evaluate({**variables, "batch_stats": own}, images.test)
        return 100 * (1 - sums["accuracy"] / sums["weight"])

    gap = seen.pop("gap")
    return {
        "errors": {name: error(own) for name, own in stats.items()}, "paths": seen, "gap": gap,
        "apart": {name: apart(stats[name][FIRST], stats[WHOLE][FIRST]) for name in (BATCHES, RUN)},
    }  # fmt: skip


def apart(own: Any, whole: Any) -> jax.Array:
    """The rms over units between two means, in the whole set's deviations."""
    return jnp.sqrt(jnp.mean((own["mean"] - whole["mean"]) ** 2 / whole["var"]))


def as_float(images: np.ndarray) -> jax.Array:
    """As the loss gives them to the network."""
    return jnp.asarray(images, jnp.float32) / 255


def unbiased(stats: Any, size: int) -> Any:
    """Variances times N / (N - 1)."""
    return {
        layer: {"mean": own["mean"], "var": own["var"] * size / (size - 1)}
        for layer, own in stats.items()
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-110 if the whole set's error, in the mean over sizes, is under that of the moving average
    and of the training batches plus 0.25 points; E-38 if it is under that of the whole run's; E-94
    if the mean over batches at the last weights is the whole set's to 1e-4 of a deviation in every
    run, and over the weights of the run at least a hundred times as far off."""
    means = {name: np.mean(rows, axis=0) for name, rows in results["errors"].items()}
    text = ", ".join(f"{name} {values.mean():.2f}" for name, values in means.items())
    parts = [
        paired("C-110", means[WHOLE] - means[other] - MARGIN,
               f"test error / %: {text}; whole set minus {other}, minus 0.25", claimed="negative")
        for other in (MOVING, BATCHES)
    ]  # fmt: skip
    stale = paired(
        "E-38", means[WHOLE] - means[RUN], f"{text}; whole set minus {RUN}", claimed="negative"
    )
    frozen, moved = (np.asarray(results["apart"][name]) for name in (BATCHES, RUN))
    return [
        combine("C-110", parts),
        stale,
        exact(
            "E-94",
            frozen.max() < ROUNDING and moved.min() > 100 * ROUNDING,
            f"batches' means off the whole set's, in deviations: {frozen.max():.1g} at the last "
            f"weights, {moved.mean():.2g} over the run's",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """A unit's means over the first seed's run, the gap at the marks, and the errors."""
    fig, (path, gap, errors) = figure(1, 3, height=4.2)
    means = results["paths"]
    moving, batch = means["moving"].ravel(), means["batch"].ravel()
    steps = np.arange(1, len(moving) + 1)
    path.plot(steps, batch, color="grey", lw=0.5, label="batch")
    path.plot(steps, moving, color=COLOURS[1], label=MOVING)
    marks = steps[-1] // len(means["whole"]) * np.arange(1, len(means["whole"]) + 1)
    path.plot(marks, means["whole"], "o", color=COLOURS[0], label=WHOLE)
    path.set(xlabel="update", ylabel="mean of a unit of the last layer")
    path.set_title(f"{data_name(results['data_set'])}, the first seed")
    path.legend()
    rows = np.array([interval(column) for column in results["gap"].T])
    band(gap, marks, *(100 * rows).T, color=COLOURS[1])
    gap.axhline(2, color="black", lw=0.8, ls="--")
    gap.set(xlabel="update", ylabel="distance / % of the mean", ylim=(0, None))
    gap.set_title(f"Moving average to whole set, batches of {results['shown']:.0f}")
    draw_errors(errors, results)
    return fig


def draw_errors(axes: Axes, results: dict[str, Any]) -> None:
    """Test error by the statistics, side by side at each batch size."""
    sizes = np.asarray(results["sizes"])
    for place, (name, found) in enumerate(results["errors"].items()):
        rows = np.array([interval(values) for values in found])
        bars = np.abs(rows[:, 1:].T - rows[:, 0])
        x = sizes * 1.12 ** (place - 1.5)
        axes.errorbar(x, rows[:, 0], bars, fmt="o", capsize=3, color=COLOURS[place], label=name)
    axes.set(xscale="log", yscale="log", xlabel="batch size", ylabel="test error / %")
    axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    axes.set_yticks([10, 15, 20, 30, 50], ["10", "15", "20", "30", "50"])
    axes.minorticks_off()
    axes.legend()
    axes.set_title(f"Mean and 95 % of {len(results['gap'])} seeds")
