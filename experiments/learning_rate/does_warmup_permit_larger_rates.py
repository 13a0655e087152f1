"""Does warmup permit larger learning rates?

Too high a first rate makes the loss keep rising, and a linear warmup cures it (002:588-602; Goyal
et al., 2017). A 196-64-64-10 ReLU net, MNIST averaged to 14 x 14 (digits, 64-64-64-10, where MNIST
is not prepared), momentum 0.9, 100 updates of batch 2048; Goyal's rule, 0.1 for every 256 images,
gives it the rate 0.8 and batch 32, on the same examples in the same order, 0.0125. Without warmup;
with the constant one, 0.0125 for 20 updates; with the gradual one, linear up to the peak in 20. The
first and the last also at peaks from 0.2 to 51 by factors of 2. A run trains if the mean loss of
its last 10 updates is under half its first. C-057: the largest peak that trains, gradual over none,
log2, paired by seed. C-056: at the next peak above all at which a seed trains without warmup, the
slope of log10 loss over updates 0 to 10 and over 10 to 20 must be positive: it "keeps rising".

Command: python -m experiments --only does_warmup_permit_larger_rates      (CPU, about N s)
Found: not run yet.
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

from experiments.engine import COLOURS, Verdict, band, combine, figure, interval, paired
from experiments.learning_rate._networks import Examples, make_epoch, read_images, start, stream
from jaxtricks import models, optimizers, schedules, training

FIGURES = ("F-060",)
CLAIMS = ("C-056", "C-057")

SMALL, LARGE = 32, 2048
FACTOR = LARGE // SMALL
BASE = 0.1 * SMALL / 256
RULE = BASE * FACTOR
PEAKS = RULE * 2.0 ** np.arange(-2, 7)
AT_RULE = 2  # its place among the peaks
ARMS = {"none": COLOURS[5], "constant": COLOURS[1], "gradual": COLOURS[0]}
MODEL = models.MLP((64, 64, 10))
WORST = 1e6  # stands for any larger loss and for NaN


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images; `steps`: large batches; `warmup`: of them; `peaks`: how many of `PEAKS`."""

    count: int = 20_480
    steps: int = 100
    warmup: int = 20
    peaks: int = len(PEAKS)
    seeds: int = 5


SMOKE = Config(count=500, steps=25, warmup=20, peaks=3, seeds=2)
FULL = Config(count=60_000, steps=1000, warmup=200, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Loss and error of every update [peak, seed, update]; means of 64 for the small batch."""
    (fit, _, test), name = read_images("mnist", config.count, validation=0)
    peaks = PEAKS[: config.peaks]
    tables = np.asarray(rate_tables(peaks, config.steps, config.warmup))
    keys = jax.random.split(jax.random.key(0), config.seeds)
    large = over_seeds(train_large, keys, tables, fit, test)
    small = over_seeds(train_small, keys, np.full((1, config.steps), BASE), fit, test)
    one = {key: values[0] for key, values in small.items()}
    results: dict[str, Any] = {"data_set": name, "warmup": config.warmup, "peaks": peaks}
    results["none"] = {key: values[: config.peaks] for key, values in large.items()}
    results["gradual"] = {key: values[config.peaks : -1] for key, values in large.items()}
    results["constant"] = {key: values[-1] for key, values in large.items()}
    return {**results, "small": one}


@functools.partial(jax.jit, static_argnums=(1, 2))
def rate_tables(peaks: jax.Array, steps: int, warmup: int) -> jax.Array:
    """Rates of every update: no warmup at each peak, the gradual one, the constant one."""
    counts = jnp.arange(steps)

    def gradual(peak: jax.Array) -> jax.Array:
        return jax.vmap(schedules.linear_warmup(peak, warmup))(counts)

    step_up = schedules.join((schedules.constant(BASE), schedules.constant(RULE)), (warmup,))
    flat = jnp.broadcast_to(peaks[:, None], (len(peaks), steps))
    return jnp.concatenate([flat, jax.vmap(gradual)(peaks), jax.vmap(step_up)(counts)[None]])


def over_seeds(
    train: Callable, keys: jax.Array, tables: np.ndarray, fit: Examples, test: Examples
) -> dict[str, np.ndarray]:
    """Every table of rates from every key: `[table, seed, ...]`."""
    rows, seeds = np.indices((len(tables), len(keys))).reshape(2, -1)
    found = training.train_population(
        train, keys[seeds], np.float32(tables[rows]), shared=(fit, test)
    )
    return {
        name: values.reshape(len(tables), len(keys), *values.shape[1:])
        for name, values in found.items()
    }


def train(
    key: jax.Array, rates: jax.Array, fit: Examples, test: Examples, *, batch: int
) -> dict[str, jax.Array]:
    """A run whose rates are one for every 2048 examples, as are the means that it gives."""
    init_key, order_key = jax.random.split(key)
    parts = LARGE // batch
    tx = optimizers.momentum(lambda count: rates[count // parts], 0.9)
    order = stream(order_key, len(fit["label"]), len(rates) * parts, batch)
    state, metrics = make_epoch(MODEL, tx)(start(MODEL, tx, init_key, fit), fit, order, key)
    means = {name: values.reshape(-1, parts).mean(axis=1) for name, values in metrics.items()}
    eval_step = training.make_eval_step(training.classification_loss(MODEL))
    final = training.evaluate(eval_step, state, test, 2000)
    return {
        "loss": jnp.where(means["loss"] < WORST, means["loss"], WORST),
        "error": 1 - means["accuracy"],
        "test error": 1 - final["accuracy"],
    }


train_large = functools.partial(train, batch=LARGE)
train_small = functools.partial(train, batch=SMALL)


def trains(arm: dict[str, np.ndarray]) -> np.ndarray:
    """Whether the last 10 losses are on average under half the first."""
    return final_loss(arm) < 0.5 * arm["loss"][..., 0]


def largest_peak(arm: dict[str, np.ndarray], peaks: np.ndarray) -> np.ndarray:
    """Per seed the largest peak that trains; half the smallest if none does."""
    return np.where(trains(arm), peaks[:, None], peaks[0] / 2).max(axis=0)


def too_high(results: dict[str, Any]) -> int:
    """Place of the first peak above all at which a seed trains without warmup, or the last."""
    some = trains(results["none"]).any(axis=1)
    return min(int(np.max(np.flatnonzero(some), initial=-1)) + 1, len(some) - 1)


def slopes(losses: np.ndarray, first: int) -> np.ndarray:
    """Least-squares slope of log10 loss in ten updates from `first` on, per update."""
    rows = np.log10(losses[:, first : first + 11]).T
    return np.polyfit(np.arange(11), rows, 1)[0]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The loss rises twice ten updates long; warmup moves the largest rate that trains up."""
    place = too_high(results)
    peak, losses = results["peaks"][place], results["none"]["loss"][place]
    rising = [
        paired(
            "C-056", slopes(losses, first),
            f"peak {peak:.3g}, updates {first} to {first + 10}: log10 loss per update",
            claimed="positive",
        )
        for first in (0, 10)
    ]  # fmt: skip
    none, gradual = (largest_peak(results[arm], results["peaks"]) for arm in ("none", "gradual"))
    text = (
        f"largest rate that trains without warmup {none.min():.3g} to {none.max():.3g}, with "
        f"{gradual.min():.3g} to {gradual.max():.3g}; log2 ratio"
    )
    gain = paired("C-057", np.log2(gradual / none), text, claimed="positive")
    return [
        combine("C-056", rising),
        dataclasses.replace(gain, measured=at_the_rule(results, gain)),
    ]


def at_the_rule(results: dict[str, Any], gain: Verdict) -> str:
    """What F-060 compares: errors of the large batch under Goyal's rule and of the small one."""
    arms = {name: results[name] for name in ("small", "constant")}
    arms |= {name: pick(results[name], AT_RULE) for name in ("none", "gradual")}
    words = [
        f"{name} {arm['error'][:, :10].mean():.1%}, {arm['test error'].mean():.1%}"
        for name, arm in arms.items()
    ]
    return f"{gain.measured}; rate {RULE:g}, error over 10 updates and at the end on the test: " + (
        "; ".join(words)
    )


def pick(arm: dict[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
    """The runs at one peak."""
    return {name: values[place] for name, values in arm.items()}


def draw(results: dict[str, Any]) -> Figure:
    """Error curves under Goyal's rule and at too high a rate; the end against the peak."""
    fig, (rule, high, ends) = figure(1, 3, width=4.6, height=3.6)
    place, seeds = too_high(results), len(results["none"]["loss"][0])
    draw_curve(rule, results["small"], "black", f"batch {SMALL}, rate {BASE:g}", "--")
    draw_curve(rule, results["constant"], ARMS["constant"], f"batch {LARGE}, constant warmup")
    for arm in ("none", "gradual"):
        label = {"none": "no warmup", "gradual": "gradual warmup"}[arm]
        draw_curve(rule, pick(results[arm], AT_RULE), ARMS[arm], f"batch {LARGE}, {label}")
        draw_curve(high, pick(results[arm], place), ARMS[arm], label)
        rows = np.array([interval(np.log10(row)) for row in final_loss(results[arm])])
        look = {"color": ARMS[arm], "marker": "o", "label": label}
        band(ends, results["peaks"], *(10**rows.T), **look)
    rule.set_title(f"{results['data_set']}: rate {RULE:g} by the linear rule")
    high.set_title(f"rate {results['peaks'][place]:g}: fails without warmup")
    for axes in (rule, high):
        axes.set(xlabel=f"examples seen / {LARGE}", ylabel="training error", ylim=(0, 1))
        axes.axvline(results["warmup"], color="grey", ls=":", lw=1, label="end of the warmup")
        axes.legend()
    ends.set(xscale="log", yscale="log", xlabel="peak learning rate")
    ends.set(ylabel="loss of the last 10 updates / nats")
    ends.set_title(f"batch {LARGE}: mean and 95 %, {seeds} seeds")
    ends.axhline(np.log(10), color="grey", ls=":", lw=1, label="ln 10: knows nothing")
    ends.legend()
    return fig


def final_loss(arm: dict[str, np.ndarray]) -> np.ndarray:
    """`[peak, seed]`."""
    return arm["loss"][..., -10:].mean(axis=-1)


def draw_curve(axes: Axes, arm: dict, colour: str, label: str, line: str = "-") -> None:
    """Mean and interval over the seeds of the training error."""
    rows = np.array([interval(column) for column in arm["error"].T])
    band(axes, 1 + np.arange(len(rows)), *rows.T, color=colour, label=label, ls=line)
