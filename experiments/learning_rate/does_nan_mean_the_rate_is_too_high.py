"""Does a loss of NaN mean that the learning rate is too high?

"Usually", says the lecture (004:188). Five causes are planted in a ReLU net with three hidden
layers of 64 on digits (batches of 32; with one layer a sound net gets no NaN below a rate of 1e8):
nothing but the rate; log(softmax), which takes log 0; softmax as exp / sum exp, which overflows;
one example with a NaN pixel; the same exp / sum exp after weights ten times too large. Of the runs
with NaN at rates 1e-3 to 1e3, the share cured by a tenth of the rate, same seed: no NaN, and the
last epoch's mean loss below the first loss; the mean over the causes, equally weighted, is held to
a half. That was fixed before looking, and decides. Added after looking, as text: a tenth of 1e3 is
still too high, so that even the rate alone, the control that must score near 1, scored 0.23; so the
share cured by some lower rate too. How often people meet each cause is not known: the weights are
those of the list above.

Command: python -m experiments --only does_nan_mean_the_rate_is_too_high      (CPU, about 4 s)
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure, interval
from experiments.engine.before import Verdict, exact, paired
from experiments.learning_rate import _small_mlp as mlp
from jaxtricks import data, optimizers

CLAIMS = ("C-045",)
ERRATA = ("E-95",)
TIER = 2

SIZES = (64, 64, 64, 64, 10)
RATES = tuple(10.0**power for power in range(-4, 4))
NAMES = (
    "the rate alone",
    "log 0",
    "exp overflows",
    "one NaN pixel",
    "weights x 10",
)
EPOCH = 40


class Cause(NamedTuple):
    """`criterion`: 0 sound, 1 log(softmax), 2 exp / sum exp; `gain`: of the first weights."""

    criterion: np.ndarray
    gain: np.ndarray
    first_pixel: np.ndarray


# In the order of NAMES; the first pixel of the first digit is 0 in the data.
CAUSES = Cause(
    criterion=np.array([0, 1, 2, 0, 2]),
    gain=np.array([1.0, 1.0, 1.0, 1.0, 10.0], np.float32),
    first_pixel=np.array([0.0, 0.0, 0.0, np.nan, 0.0], np.float32),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of every run."""

    steps: int = 300
    seeds: int = 10


SMOKE = Config(steps=10, seeds=2)
FULL = Config(steps=4000, seeds=40)


def run(config: Config) -> dict[str, Any]:
    """Per cause, seed and rate: whether a loss was NaN, and whether the run learned without."""
    fit = mlp.examples(data.load("digits").train)
    tail = min(EPOCH, config.steps // 2)

    def one(cause: Cause, key: jax.Array, rate: jax.Array) -> tuple[jax.Array, jax.Array]:
        def criterion(z: jax.Array, y: jax.Array) -> jax.Array:
            forms = (mlp.cross_entropy, log_of_softmax, overflowing)
            return jax.lax.switch(cause.criterion, forms, z, y)

        some = fit._replace(x=fit.x.at[0, 0].set(cause.first_pixel))
        tx = optimizers.gradient_descent(rate)
        trained = mlp.train(
            tx, key, some, config.steps, sizes=SIZES, gain=cause.gain, criterion=criterion
        )
        finite = jnp.all(jnp.isfinite(trained.losses))
        return ~finite, finite & (jnp.mean(trained.losses[-tail:]) < trained.losses[0])

    def all_runs(cause: Cause) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(jax.random.key(0), config.seeds)
        over_rates = jax.vmap(one, (None, None, 0))
        return jax.vmap(over_rates, (None, 0, None))(cause, keys, jnp.array(RATES))

    nan, learns = jax.jit(lambda causes: jax.lax.map(all_runs, causes))(CAUSES)
    return {
        "data_set": "digits",
        "rates": RATES,
        "nan": nan.astype(int),
        "learns": learns.astype(int),
    }


def log_of_softmax(z: jax.Array, y: jax.Array) -> jax.Array:
    """The probability may be 0 in float32: log 0, and 0 times infinity in the gradient."""
    return -jnp.mean(jnp.log(mlp.chosen(jax.nn.softmax(z, axis=1), y)))


def overflowing(z: jax.Array, y: jax.Array) -> jax.Array:
    """The largest logit is not subtracted: exp(89) is infinite in float32."""
    exponentials = jnp.exp(z)
    return -jnp.mean(jnp.log(mlp.chosen(exponentials, y) / jnp.sum(exponentials, axis=1) + 1e-12))


def cured(results: dict[str, Any], *, by: str) -> np.ndarray:
    """[cause, seed]: share of the seed's NaN runs cured by "a tenth" of the rate or "any" lower."""
    nan, better = results["nan"][..., 1:], results["learns"][..., :-1]
    if by == "any":
        better = np.maximum.accumulate(better, axis=-1)
    with np.errstate(invalid="ignore"):
        return (nan * better).sum(axis=-1) / nan.sum(axis=-1)


def reading(results: dict[str, Any], by: str) -> Verdict:
    """One reading of C-045: the share cured, mean over the causes, against a half."""
    share = cured(results, by=by)
    each = ", ".join(
        f"{name} {row[np.isfinite(row)].mean():.0%}"
        for name, row in zip(NAMES, share, strict=True)
        if np.isfinite(row).any()
    )
    text = f"NaN runs cured by {by} {'of the' if by == 'a tenth' else 'lower'} rate: {each}; mean"
    return paired("C-045", np.nanmean(share, axis=0) - 0.5, f"{text} minus 0.5", claimed="positive")


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-045 by a tenth of the rate, with what any lower rate cures as text; E-95 if another cause
    gives NaN where the sound net learns and no lower rate helps."""
    usual, other = (reading(results, by) for by in ("a tenth", "any"))
    usual = dataclasses.replace(usual, measured=f"{usual.measured}; besides: {other.measured}")
    innocent = (results["nan"] * results["learns"][0])[..., 1:].sum(axis=(1, 2))
    helped = np.nanmean(cured(results, by="any"), axis=1)
    listed = ", ".join(
        f"{name} {count} (a lower rate cures {share:.0%} of all its NaN runs)"
        for name, count, share in zip(NAMES[1:], innocent[1:], helped[1:], strict=True)
    )
    text = f"runs with NaN at a seed and rate where the sound net learns: {listed}"
    return [usual, exact("E-95", np.any((innocent[1:] > 0) & (helped[1:] == 0)), text)]


def draw(results: dict[str, Any]) -> Figure:
    """Where each cause gives NaN, and how much of it a tenth of the rate cures."""
    fig, (where, bars) = figure(1, 2, width=5.0, height=3.4, sharey=True)
    seeds = results["nan"].shape[1]
    share = results["nan"].mean(axis=1)
    draw_table(where, share, results["learns"].mean(axis=1))
    where.set_title(f"share of {seeds} seeds with NaN (coloured)\nand that learn (numbers below)")
    for shift, by, colour in ((-0.2, "a tenth", COLOURS[0]), (0.2, "any", COLOURS[1])):
        label = {"a tenth": "a tenth of the rate", "any": "some lower rate"}[by]
        for y, row in enumerate(cured(results, by=by)):
            row = row[np.isfinite(row)]
            mean, low, high = interval(row) if len(row) > 1 else (0.0, 0.0, 0.0)
            bars.barh(y + shift, mean, color=colour, height=0.36, label=label if y == 0 else None)
            bars.plot([low, high], [y + shift, y + shift], color="black")
            where_to = max(high, mean) + 0.03
            white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            bars.text(where_to, y + shift, f"{mean:.0%}", va="center", bbox=white)
    bars.axvline(0.5, color="black", ls="--", lw=1, zorder=0, label="a half")
    bars.set(xlim=(0, 1.2), xlabel="share of the NaN runs", xticks=(0, 0.5, 1))
    bars.set_title("NaN runs that are cured by\n(mean and 95 % interval over seeds)")
    bars.legend(loc="lower right")
    return fig


def draw_table(axes: Axes, nan: np.ndarray, learns: np.ndarray) -> None:
    """One cell a cause and rate: the colour and first number NaN, the second number learning."""
    axes.grid(False)
    axes.imshow(nan, cmap="Oranges", vmin=0, vmax=1.3, aspect="auto")
    for (row, column), number in np.ndenumerate(nan):
        text = f"{number:.0%}\n{learns[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8)
    axes.set(xlabel="learning rate", xticks=range(len(RATES)), yticks=range(len(NAMES)))
    axes.set_xticklabels([f"1e{round(np.log10(rate))}" for rate in RATES])
    axes.set_yticklabels(NAMES)
