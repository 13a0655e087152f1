"""Does a loss of NaN mean that the learning rate is too high?

"Usually", says the lecture (004:188). A random search draws rates between 1e-4 and 1e3, evenly on
the log scale, for a ReLU net with three hidden layers of 64 on digits (batches of 32; with one
layer a sound net gets no NaN below a rate of 1e8). Each run has one of five causes of NaN, a fifth
of the runs each: nothing but the rate; log(softmax), which takes log 0; softmax as exp / sum exp,
which overflows; one example with a NaN pixel; the same exp / sum exp after weights ten times too
large. A run with NaN counts as cured if a tenth, a hundredth, a thousandth or 1e-4 of its rate
trains the same net: no NaN, and the last epoch's mean loss under half the first loss. Judged is the
share of the NaN runs that are cured. How often people meet each cause is not known: the mix of
causes at which that share would be a half is printed besides.

Command: python -m experiments --only does_nan_mean_the_rate_is_too_high      (CPU, about 20 s)
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    figure,
    proportion,
    share,
)
from experiments.lab import small_mlp as mlp
from jaxtricks import data, optimizers

CLAIMS = ("C-045",)
ERRATA = ("E-95",)
TIER = 2

NAMES = (
    "the rate alone",
    "log 0",
    "exp overflows",
    "one NaN pixel",
    "weights x 10",
)
PLANS = {
    "C-045": Plan(
        effects={"share": 0.5, "share of the control": 0.95},
        gates=("pos",),
        settings={
            "search": "rates 1e-4 to 1e3, log-uniform; each cause in a fifth of the runs",
            "causes": NAMES,
            "net": (64, 64, 64, 64, 10),
            "batch": mlp.BATCH,
            "cured": "at 1e-1 ... 1e-4 times the rate, same seed: no NaN, and the last epoch's "
            "mean loss under half the first",
            "judged": "every run of the search with NaN",
        },
    )
}


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
    """`runs`: of the search with each cause; `steps`: of every run; `sizes` of the net's layers.

    `exponents`: of 10, the ends of the search's rates. `factors`: of the lower rates that are tried
    as a cure. `last`: updates whose mean loss is the last one, at most half the run.
    """

    runs: int = 40
    sizes: tuple[int, ...] = (64, 64, 64, 64, 10)
    exponents: tuple[float, float] = (-4.0, 3.0)
    factors: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4)
    last: int = 40
    steps: int = 300
    seed: int = 15_045


SMOKE = Config(runs=4, steps=10)
FULL = Config(runs=200, steps=4000)


def run(config: Config) -> dict[str, Any]:
    """`[cause, run]`: the rate, whether there was NaN, whether a lower rate cures it, and whether
    the sound net trains at the same rate and seed."""
    fit = mlp.examples(data.load("digits").train)
    rate_key, run_key = jax.random.split(jax.random.key(config.seed))
    shape = (len(NAMES), config.runs)
    low, high = config.exponents
    rates = 10 ** jax.random.uniform(rate_key, shape, minval=low, maxval=high)
    keys = jax.random.split(run_key, shape)
    factors = jnp.asarray((1.0, *config.factors), jnp.float32)
    sound = jax.tree.map(lambda values: values[0], CAUSES)

    def runs_of(cause: Cause, keys: jax.Array, rates: jax.Array) -> dict[str, jax.Array]:
        def search(key: jax.Array, rate: jax.Array) -> dict[str, jax.Array]:
            nan, learns = jax.vmap(lambda factor: trained(fit, cause, key, rate * factor, config))(
                factors
            )
            twin = trained(fit, sound, key, rate, config)[1]
            return {"nan": nan[0], "cured": jnp.any(learns[1:]), "sound learns": twin}

        return jax.vmap(search)(keys, rates)

    found = jax.jit(lambda *runs: jax.lax.map(lambda some: runs_of(*some), runs))(
        CAUSES, keys, rates
    )
    return {
        "data_set": "digits",
        "examples": len(fit.y),
        "steps": config.steps,
        "sizes": config.sizes,
        "rate": rates,
        **{name: values.astype(int) for name, values in found.items()},
    }


def trained(
    fit: mlp.Examples, cause: Cause, key: jax.Array, rate: jax.Array, config: Config
) -> tuple[jax.Array, jax.Array]:
    """Whether a loss of the run was NaN, and whether it trained without."""

    def criterion(z: jax.Array, y: jax.Array) -> jax.Array:
        forms = (mlp.cross_entropy, log_of_softmax, overflowing)
        return jax.lax.switch(cause.criterion, forms, z, y)

    some = fit._replace(x=fit.x.at[0, 0].set(cause.first_pixel))
    tx = optimizers.gradient_descent(rate)
    losses = mlp.train(
        tx, key, some, config.steps, sizes=config.sizes, gain=cause.gain, criterion=criterion
    ).losses
    last = jnp.mean(losses[-min(config.last, config.steps // 2) :])
    return jnp.any(jnp.isnan(losses)), jnp.all(jnp.isfinite(losses)) & (last < losses[0] / 2)


def log_of_softmax(z: jax.Array, y: jax.Array) -> jax.Array:
    """The probability may be 0 in float32: log 0, and 0 times infinity in the gradient."""
    return -jnp.mean(jnp.log(mlp.chosen(jax.nn.softmax(z, axis=1), y)))


def overflowing(z: jax.Array, y: jax.Array) -> jax.Array:
    """The largest logit is not subtracted: exp(89) is infinite in float32."""
    exponentials = jnp.exp(z)
    return -jnp.mean(jnp.log(mlp.chosen(exponentials, y) / jnp.sum(exponentials, axis=1) + 1e-12))


def counts(results: dict[str, Any]) -> np.ndarray:
    """By cause: its runs, those with NaN, and those of them that a lower rate cures."""
    nan = results["nan"]
    return np.stack([np.ones_like(nan), nan, nan * results["cured"]]).sum(axis=2).T.astype(int)


def break_even(table: np.ndarray) -> float:
    """Share of faultless runs, the faults equal among the others, that makes the cured a half."""
    with np.errstate(invalid="ignore"):
        more_than_half = (table[:, 2] - table[:, 1] / 2) / table[:, 0]
    alone, faults = more_than_half[0], more_than_half[1:].mean()
    return float(faults / (faults - alone))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-045 over all NaN runs of the search; E-95 by those that no lower rate cures."""
    effects = PLANS["C-045"].effects
    table = counts(results)
    _, nan, cured = table.sum(axis=0)
    alone = table[0, 2] / max(table[0, 1], 1)
    part = proportion(
        "share of the search's NaN runs that some lower rate cures",
        int(cured),
        int(nan),
        bound=effects["share"],
        claimed="up",
        panel="b",
    )
    gate = Gate(
        "pos",
        bool(alone >= effects["share of the control"]),
        f"of {table[0, 1]} NaN runs with no fault but the rate, a lower one cures {alone:.0%}",
    )
    verdict = all_of(
        "C-045",
        [part],
        gates=[gate],
        scope=f"digits, {results['examples']:,} examples, ReLU net "
        f"{'-'.join(map(str, results['sizes']))}, SGD, batches of {mlp.BATCH}, "
        f"{results['steps']:.0f} updates, rates 1e-4 to 1e3, five causes in a fifth of the "
        "runs each, float32",
        beside=[
            "cured of NaN runs by cause: "
            + ", ".join(
                f"{name} {row[2]} of {row[1]}" for name, row in zip(NAMES, table, strict=True)
            ),
            f"it would be a half if {break_even(table):.0%} of all runs had no fault but the rate "
            "and the four faults shared the rest equally",
        ],
    )
    return [verdict, other_causes(results)]


def other_causes(results: dict[str, Any]) -> Verdict:
    """E-95: another cause gives NaN where the sound net trains, and no lower rate helps."""
    innocent = counts(results | {"nan": results["nan"] * results["sound learns"]})[:, 1]
    rows = [
        (f"{name} ({alone} of its {nan} NaN runs)", alone > 0)
        for name, alone, (_, nan, cured) in zip(NAMES, innocent, counts(results), strict=True)
        if nan > 0 == cured
    ]
    text = "NaN where the sound net trains, and at every lower rate too: " + ", ".join(
        row for row, _ in rows
    )
    return demonstration("E-95", any(shown for _, shown in rows), text, panel="a")


def draw(results: dict[str, Any]) -> Figure:
    """Every run of the search by its rate and cause, and the share of its NaN runs cured."""
    fig, (runs, bars) = figure(1, 2, width=6.0, height=4.4, sharey=True)
    draw_runs(runs, results)
    table = counts(results)
    rows = [*table[:, 1:], table[:, 1:].sum(axis=0)]
    for y, (nan, cured) in enumerate(rows):
        if nan:
            found = share(cured, nan)
            error = [[found.value - found.low], [found.high - found.value]]
            bars.errorbar(
                100 * found.value, y, xerr=100 * np.array(error), fmt="o", capsize=4, ms=8,
                color=COLOURS[0] if y < len(NAMES) else "black",
            )  # fmt: skip
            side, end = (-1, found.low) if found.value > 0.5 else (1, found.high)
            bars.text(
                100 * end + 4 * side, y, f"{cured} of {nan}", va="center",
                ha="left" if side > 0 else "right",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    bars.axvline(50, color="black", ls="--", lw=1, zorder=0)
    bars.set(xlim=(-4, 104), xlabel="NaN runs cured by a lower rate / %")
    bars.set_title("share cured, with its 95 % interval")
    return fig


def draw_runs(axes: Axes, results: dict[str, Any]) -> None:
    """One mark a run, spread within the row of its cause."""
    nan, cured = results["nan"] > 0, results["cured"] > 0
    causes, runs = nan.shape
    rows = np.arange(causes)[:, None] + 0.6 * (np.arange(runs) * 0.618 % 1 - 0.5)
    for chosen, mark, colour, label in (
        (~nan, ".", "grey", "no NaN"),
        (nan & cured, "o", COLOURS[0], "NaN, cured"),
        (nan & ~cured, "x", COLOURS[1], "NaN, not cured"),
    ):
        axes.plot(results["rate"][chosen], rows[chosen], mark, color=colour, ms=6, label=label)
    axes.axhline(len(NAMES) - 0.5, color="grey", lw=0.6)
    axes.set(xscale="log", xlabel="learning rate", ylim=(len(NAMES) + 0.6, -0.6))
    axes.set_yticks(range(len(NAMES) + 1), [*NAMES, "the whole search"])
    axes.legend(loc="lower left", ncols=3, columnspacing=0.8, handletextpad=0.1)
    axes.set_title(f"digits, {nan.size} runs of a random search")
