"""Does dropout make a network generalise better?

000:33 calls it "learning less to learn better", and 003:53 says that it can prevent over-fitting;
004:707-709 that units which know that partners may be missing work better. The network of 001:79,
two hidden ReLU layers of 200, on images averaged to 14 x 14 pixels, with dropout at 0.5 and
without, on a thousand images drawn anew by each seed and on all of the pool; eight rates each,
chosen by validation error on five other seeds. C-067: at both sizes the test error and the gap
between test and training error must be lower with dropout (0.3 point matters). C-084, on all
images: a quarter of the hidden units, drawn ten times, is deleted, and the others stay as they are;
the accuracy that is lost must be lower with dropout (1 point matters), and with all units present
dropout must not cost a point.

Command: python -m experiments --only does_dropout_improve_generalisation     (CPU, about 25 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.dropout import _runs as runs
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Tuned,
    Verdict,
    all_of,
    converged,
    data_name,
    figure,
    finish,
    interval,
    paired,
    under,
)

CLAIMS = ("C-067", "C-084")
ERRATA = ("E-76",)
TIER = 3

NONE, DROPOUT = "none", "dropout 0.5"
ERRORS = {"test error": ("test error", 0), "training error": ("train error", 1)}
DELETED = {"test error": ("test error", 0), "a quarter of the units deleted": ("deleted error", 2)}
SIZES = ("few", "all")
FLOORS = {
    "mnist": 3.0,
    "digits": 5.0,
}  # errors in percent that the net on all images must get under
SETTINGS = {
    "choice": "by validation error on tuning seeds, resampled 200 times",
    "gap": "test minus training error, of evaluation",
    "fit": "training accuracy 99.5 % without dropout, gap 5 times the smallest effect, both sizes",
    "floors": FLOORS,
    "deleted": runs.DELETED,
    "draws": runs.DRAWS,
}
PLANS = {
    "C-067": Plan(effects={"points": 0.3}, gates=("fit", "conv", "nest"), settings=SETTINGS),
    "C-084": Plan(effects={"points": 1.0}, gates=("equal",), settings=SETTINGS),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`few`: images of a small training set; `pool`: all. Epochs and batches of the two sizes."""

    data_set: str = "mnist"
    pool: int = 55_000
    validation: int = 5000
    few: int = 1000
    hidden: tuple[int, ...] = (200, 200)
    epochs: tuple[int, int] = (60, 20)
    batches: tuple[int, int] = (50, 100)
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
    drop: float = 0.5
    seed: int = 26_067
    seeds: int = 20
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits",
    pool=800,
    validation=200,
    few=200,
    hidden=(8, 8),
    epochs=(2, 1),
    rates=(0.04, 0.08),
    seeds=2,
)
FULL = Config(hidden=(1024, 1024), epochs=(200, 100))


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found with dropout and without, and the baseline at twice the updates."""
    images = lab.read(config.data_set, pool=config.pool, validation=config.validation)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]
    pool = len(images.pool["label"])
    most = pool // config.batches[1] * config.batches[1]
    counts = dict(zip(SIZES, (config.few, most), strict=True))
    programs = {
        (size, factor): runs.runner(
            config.hidden, counts[size], epochs=factor * epochs, batch=batch
        )
        for size, epochs, batch in zip(SIZES, config.epochs, config.batches, strict=True)
        for factor in (1, 2)
    }

    def tuned(arm: dict[str, Any]) -> dict[str, Any]:
        program = programs[arm["size"], 1]
        return lab.tune(program, arm["trials"], tuning=tuning, judged=judged, shared=images[:3])

    def repeated(arm: dict[str, Any]) -> dict[str, Any]:
        found = lab.over(programs[arm["size"], arm["factor"]], arm["trials"], tuning, images[:3])
        return {"error": found["test error"][0]}

    drops = {NONE: 0.0, DROPOUT: config.drop}
    arms = finish(
        trials,
        {
            f"{size}, {name}": {"size": size, "trials": runs.trial(config.rates, drop=drop)}
            for size in SIZES
            for name, drop in drops.items()
        },
        tuned,
    )
    again = {}
    for size in SIZES:
        trial = lab.best(arms[f"{size}, {NONE}"]).trial
        chosen = {name: value[None] for name, value in trial.items()}
        for factor in (1, 2):
            name = f"{size}, {factor} times the updates"
            again[name] = {"size": size, "factor": factor, "trials": chosen}
    errors = finish(trials, again, repeated)
    return {
        "data_set": images.name,
        "test": len(images.test["label"]),
        "counts": counts,
        "hidden": config.hidden,
        "epochs": config.epochs,
        "arms": arms,
        "again": errors,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Errors and gaps at both sizes, and what is lost without a quarter of the units."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    points, lost = PLANS["C-067"].effects["points"], PLANS["C-084"].effects["points"]
    fits, longer, parts = [], [], []
    for letter, size in zip("ab", SIZES, strict=True):
        none, drop = arms[f"{size}, {NONE}"], arms[f"{size}, {DROPOUT}"]
        fits.append(runs.overfits(none, least=5 * points))
        once, twice = (results["again"][f"{size}, {n} times the updates"]["error"] for n in (1, 2))
        longer.append(converged(once, twice, effect=points))
        words = f"{results['counts'][size]:.0f} images: {{}} with dropout minus without, points"
        for name, of in (
            ("test error", lambda found: found["test error"]),
            ("gap of test and training error", runs.gap),
        ):
            change = runs.difference(lambda d, n, of=of: of(d) - of(n), drop, none)
            text = words.format(name)
            parts.append(paired(text, change, effect=points, claimed="down", panel=letter))
    none, drop = arms[f"all, {NONE}"], arms[f"all, {DROPOUT}"]
    floor, reached = FLOORS[results["data_set"]], float(np.mean(none.tested["test error"]))
    longer.append(Gate("conv", reached <= floor, f"error {reached:.2f} %, {floor:g} allowed"))
    gates = [
        runs.every("fit", fits),
        runs.every("conv", longer),
        Gate("nest", None, "chosen on other seeds and other images; the choice is resampled"),
    ]
    present = runs.difference(lambda d, n: d["test error"] - n["test error"], drop, none)
    fewer = runs.difference(lambda d, n: missing(d) - missing(n), drop, none)
    robust = [
        paired(
            "accuracy lost without a quarter of the hidden units, with dropout minus without, "
            "points",
            fewer,
            effect=lost,
            claimed="down",
            panel="c",
        ),
        under(
            "test error with all units, with dropout minus without, points",
            present,
            lost,
            panel="c",
        ),
    ]
    equal = Gate(
        "equal",
        abs(present.value) <= lost,
        f"with all units present the errors differ by {present.value:.2f} points",
    )
    beside = [
        f"mean absolute correlation of two units of the last hidden layer: {name} "
        f"{float(np.mean(arm.tested['correlation'])):.3f}"
        for name, arm in ((NONE, none), (DROPOUT, drop))
    ]
    name, hidden = (
        data_name(results["data_set"]),
        " and ".join(f"{n:.0f}" for n in results["hidden"]),
    )
    scope = (
        f"{name}, {' and '.join(f'{n:.0f}' for n in results['counts'].values())} training and "
        f"{results['test']:.0f} test images of 14 x 14 pixels (digits 8 x 8), hidden ReLU layers "
        f"of {hidden}, momentum 0.9, rate falling to 0, "
        f"{' and '.join(f'{n:.0f}' for n in results['epochs'])} epochs, float32"
    )
    return [
        all_of("C-067", parts, scope=scope, gates=gates),
        all_of("C-084", robust, scope=scope, gates=[equal], beside=beside),
        all_of("E-76", robust[:1], scope=scope, beside=beside),
    ]


def missing(found: Any) -> np.ndarray:
    """Points of accuracy that are lost without a quarter of the hidden units."""
    return np.asarray(found["deleted error"]) - np.asarray(found["test error"])


def draw(results: dict[str, Any]) -> Figure:
    """Training and test errors at both sizes, and what deleting units costs."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    fig, (few, every, deleted) = figure(1, 3, width=5.0, height=4.6)
    for axes, size in ((few, "few"), (every, "all")):
        pairs(axes, {n: arms[f"{size}, {n}"] for n in (NONE, DROPOUT)}, ERRORS)
        axes.set(ylabel="error / %", ylim=(0, None))
        seeds = len(arms[f"{size}, {NONE}"].tested["test error"])
        name = data_name(results["data_set"])
        axes.set_title(f"{name}, {results['counts'][size]:.0f} images, {seeds} seeds")
    both = {n: arms[f"all, {n}"] for n in (NONE, DROPOUT)}
    pairs(deleted, both, DELETED)
    deleted.set(ylabel="test error / %", ylim=(0, None))
    deleted.set_title("The nets of b; mean and 95 %")
    return fig


def pairs(axes: Axes, arms: dict[str, Tuned], rows: dict[str, tuple[str, int]]) -> None:
    """Means with intervals and the seeds behind them, one place an arm, one colour a metric."""
    for number, (label, (metric, look)) in enumerate(rows.items()):
        for place, arm in enumerate(arms.values()):
            values, at = arm.tested[metric], place + 0.24 * (number - 0.5)
            axes.plot(np.full(len(values), at - 0.07), values, ".", color="0.65", ms=4)
            centre, low, high = interval(values)
            axes.errorbar(
                at,
                centre,
                [[centre - low], [high - centre]],
                fmt="os^"[look],
                capsize=4,
                color=COLOURS[look],
                label=None if place else label,
            )
    axes.set_xticks(range(len(arms)), arms)
    axes.set_xlim(-0.5, len(arms) - 0.5)
    axes.legend(loc="best")
