"""Do layer, instance and group norm serve where batches are small?

The lecture shows them beside batch norm (002:107-120): they do not look along the batch. A small
convolutional network, one norm after each convolution, batches of 1 to 64; all see the same number
of examples. Fixed before the run, after Wu and He (2018): momentum SGD, each norm's rate tuned at
batches of 32 on other seeds and held-back images, and proportional to the batch elsewhere. An
alternative is at most 2 points worse than batch norm at 32, and better at 2. After a first run,
which had chosen the rates by the test images, and layer norm's at the edge, smaller ones were added
and batches of 4 left out for time.

Command: python -m experiments --only do_other_norms_serve_small_batches
(CPU, about 6 min, most of it compiling; MNIST halved in size where there is any, else digits)
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import races
from experiments.engine import COLOURS, data_name, figure, interval, repeat
from experiments.engine.before import Verdict, combine, paired
from jaxtricks import models, optimizers
from jaxtricks.normalization import BatchNorm

CLAIMS = ("C-113",)
TIER = 2

BATCH_NORM = "batch norm"
NORMS = (BATCH_NORM, "layer norm", "instance norm", "group norm")
ENOUGH = 2.0  # percentage points


@dataclasses.dataclass(frozen=True)
class Config:
    """`features`: channels of the convolutions, in `groups`; `rates` at `usual` batches."""

    data_set: str = "mnist"
    count: int = 2000
    features: tuple[int, ...] = (8, 16)
    groups: int = 4
    batches: tuple[int, ...] = (1, 2, 8, 32, 64)
    usual: int = 32
    small: int = 2
    norms: tuple[str, ...] = NORMS
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    epochs: int = 6
    tuning_seeds: int = 2
    seeds: int = 5


SMOKE = Config(
    "digits", 80, features=(4,), batches=(2,), usual=2, norms=(BATCH_NORM, "group norm"),
    rates=(0.1,), epochs=1, tuning_seeds=2, seeds=2,
)  # fmt: skip
FULL = Config(count=60_000, features=(32, 64), epochs=20, seeds=10)


class Net(nn.Module):
    """Convolutions 3x3, norm, ReLU and pooling, then the logits."""

    norm: str
    features: tuple[int, ...]
    groups: int

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        x = images
        for size in self.features:
            x = models.Conv(size)(x)
            if self.norm == BATCH_NORM:
                x = BatchNorm()(x, train=train)
            elif self.norm == "layer norm":
                x = nn.LayerNorm(reduction_axes=(1, 2, 3))(x)
            elif self.norm == "instance norm":
                x = nn.InstanceNorm()(x)
            else:
                x = nn.GroupNorm(num_groups=self.groups)(x)
            x = models.max_pool(nn.relu(x))
        return nn.Dense(10)(x.reshape(len(x), -1))


def run(config: Config) -> dict[str, Any]:
    """Per norm: its rate at batches of 32 and test errors in percent `[batch, seed]`."""
    images = races.read(config.data_set, config.count)
    keys = jax.random.split(jax.random.key(0), config.seeds + config.tuning_seeds)
    rates, found = np.array(config.rates, np.float32), {}
    for norm in config.norms:
        runs = {size: racer(norm, size, images, config) for size in config.batches}
        tuning = [repeat(runs[config.usual], keys[config.seeds :], rate) for rate in rates]
        rate = rates[np.argmin([np.mean(tried["held back"]) for tried in tuning])]
        rows = [
            repeat(runs[size], keys[: config.seeds], rate * np.float32(size / config.usual))
            for size in config.batches
        ]
        found[norm] = {"rate": rate, "error": np.array([tested["error"][:, -1] for tested in rows])}
    chosen = {"batches": config.batches, "usual": config.usual, "small": config.small}
    return {"data_set": images.name, **chosen, "norms": found}


def racer(norm: str, batch: int, images: races.Images, config: Config) -> Callable:
    """Of a norm with batches of this size; a trial is a rate."""
    return races.racer(
        Net(norm, config.features, config.groups), images,
        lambda rate: optimizers.momentum(rate, decay=0.9),
        steps=config.epochs * len(images.fit["label"]) // batch, marks=1, batch=batch,
    )  # fmt: skip


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-113 if each of the three is at most 2 points worse than batch norm with batches of 32, and
    better with batches of 2."""
    parts, own = [], np.asarray(results["norms"][BATCH_NORM]["error"])
    for norm in list(results["norms"])[1:]:
        other = np.asarray(results["norms"][norm]["error"])
        for size, slack in ((results["usual"], ENOUGH), (results["small"], 0.0)):
            at = list(results["batches"]).index(size)
            text = (
                f"batches of {size}: {norm} {other[at].mean():.1f} %, batch norm "
                f"{own[at].mean():.1f}; difference minus {slack:g}"
            )
            parts.append(paired("C-113", other[at] - own[at] - slack, text, claimed="negative"))
    return [combine("C-113", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Test error against the batch size."""
    fig, (axes,) = figure(1, 1, width=7.0, height=4.6)
    sizes = np.asarray(results["batches"])
    for place, (norm, found) in enumerate(results["norms"].items()):
        rows = np.array([interval(values) for values in found["error"]])
        bars = np.abs(rows[:, 1:].T - rows[:, 0])
        x = sizes * 1.06 ** (place - 1.5)
        label = f"{norm}, rate {float(found['rate']):.2g}"
        axes.errorbar(x, rows[:, 0], bars, fmt="o-", capsize=4, color=COLOURS[place], label=label)
    axes.set(xscale="log", xlabel="batch size", ylabel="test error / %", ylim=(0, None))
    axes.set_xticks(sizes, [str(size) for size in results["batches"]])
    axes.minorticks_off()
    told = f"rates at batches of {results['usual']:.0f},\nelsewhere proportional to the batch"
    axes.legend(loc="lower center", ncols=2, title=told)
    seeds = np.shape(results["norms"][BATCH_NORM]["error"])[1]
    name = data_name(results["data_set"])
    axes.set_title(f"{name}, equally many examples for all; mean and 95 % of {seeds} seeds")
    return fig
