"""Do hidden outputs drift in training, and does batch norm hold them still?

The lecture (004:445-462): even with standardised inputs, updates easily change the outputs of
hidden layers violently, so that training goes badly; batch norm makes them stable. Watched is what
the last hidden layer's activations are given for fixed test images: the 15th, 50th and 85th
percentile of every unit, whose spread is half of the 85th minus the 15th. In 27 settings, three
sets of images of 8 x 8 pixels by three activations by three depths, the shift is how far a unit's
median comes from its first value, over its mean spread; the same start and batches with batch norm
say what holding it gains. The rates are 1 for sigmoid and 0.1 for tanh and ReLU, at depth 5 three
times as much. In the batch-norm paper's network the drift is the deviation of the median over time,
over the mean spread, of the normalised values and without the norm; of the spread likewise. At rate
0 nothing may move.

Command: python -m experiments --only do_hidden_outputs_drift
(CPU, about 5 min; MNIST halved in size and CIFAR-10 in grey where there are any, else digits)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    figure,
    interval,
    mean,
    not_run,
    ordered,
    paired,
    usually,
)
from experiments.normalization._drift import (
    ACTIVATIONS,
    BATCH,
    drift,
    shift,
    small_grey,
    standardised,
    unrest,
    watcher,
)
from experiments.normalization._sigmoid_net import ARMS, BLOCKS, LOOKS, NORMED, PLAIN

FIGURES = ("F-049",)
CLAIMS = ("C-103", "C-105")
TIER = 2

RATES = {"sigmoid": 1.0, "tanh": 0.1, "ReLU": 0.1}
HIGH_AT, HIGH = 5, 3.0  # the depth whose rates are so many times as high
FEWEST = 12  # settings
PLANS = {
    "C-103": Plan(
        {"shift in spreads": 1.0, "log10 of the loss": 0.05},
        gates=("frozen", "deep and high rates"),
        settings={"rates": RATES, "at depth 5": "3 times as high", "share over": 0.5},
    ),
    "C-105": Plan({"drift in spreads": 0.05}, gates=("frozen",), settings={"rate": 1.0}),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The paper's network on `count` images, looked at `looks` times at `probes` test images, and
    the settings: `few` images of each of the `data_sets`, `few_steps` updates."""

    data_set: str = "mnist"
    count: int = 5000
    hidden: tuple[int, ...] = (100, 100, 100)
    steps: int = 3000
    looks: int = 60
    probes: int = 500
    seeds: int = 10
    data_sets: tuple[str, ...] = ("mnist", "cifar10", "digits")
    few: int = 1250
    depths: tuple[int, ...] = (3, 5, 10)
    width: int = 50
    few_steps: int = 600
    few_seeds: int = 5
    seed: int = 15_103


SMOKE = Config(
    "digits", 200, hidden=(8,), steps=4, looks=4, probes=20, seeds=2, data_sets=("digits",),
    few=200, depths=(1,), width=8, few_steps=4, few_seeds=2,
)  # fmt: skip
FULL = Config(count=60_000, steps=50_000, looks=500, few_steps=6000, few_seeds=10)


def run(config: Config) -> dict[str, Any]:
    """The drift in the paper's network by seed, and shift and gain of every setting."""
    keys = jax.random.split(jax.random.key(config.seed), 1 + len(config.depths))
    images = lab.split(config.data_set, config.count, test=2000)
    fit, seen = standardised(images.pool, images.test, config.probes)
    return {
        "data_set": images.name, "examples": len(fit["label"]), "hidden": config.hidden,
        "steps": config.steps, "few_steps": config.few_steps, "width": config.width,
        "paper": {arm: paper(arm, fit, seen, keys[0], config) for arm in ARMS},
        "settings": [
            row
            for depth, key in zip(config.depths, keys[1:], strict=True)
            for row in settings(depth, key, config)
        ],
    }  # fmt: skip


def paper(arm: str, fit: Any, seen: Any, key: jax.Array, config: Config) -> dict[str, Any]:
    """Drift and unrest of each seed, with a rate of 0 too, and a typical unit of the first."""
    sizes = (*config.hidden, 10)
    watch = watcher(BLOCKS[arm], sizes, steps=config.steps, looks=config.looks)
    keys, sigmoid = jax.random.split(key, config.seeds), list(ACTIVATIONS).index("sigmoid")
    runs = [watch(fit, seen, one, np.float32(1.0), sigmoid) for one in keys]
    frozen = watch(fit, seen, keys[0], np.float32(0.0), sigmoid)
    kinds = [kind for kind in ("given", "normalised") if kind in frozen]
    middle = runs[0]["given"][:, 1].std(axis=0)
    unit = int(np.argsort(middle)[len(middle) // 2])  # the median drift of the medians
    return {
        "drift": {kind: [drift(found[kind]) for found in runs] for kind in kinds},
        "unrest": {kind: [unrest(found[kind]) for found in runs] for kind in kinds},
        "frozen": max(f(frozen[kind]) for f in (drift, unrest) for kind in kinds),
        "unit": runs[0]["given"][:, :, unit],
    }


def settings(depth: int, key: jax.Array, config: Config) -> list[dict[str, Any]]:
    """Shift without batch norm, and log10 of the loss without over with it, by seed."""
    sizes = (*[config.width] * depth, 10)
    watch = {
        arm: watcher(BLOCKS[arm], sizes, steps=config.few_steps, looks=min(config.few_steps, 60))
        for arm in ARMS
    }
    rows = []
    for name in config.data_sets:
        fit, seen, title = small_grey(name, config.few, config.probes)
        for number, activation in enumerate(ACTIVATIONS):
            rate = np.float32(RATES[activation] * (HIGH if depth == HIGH_AT else 1))
            keys = jax.random.split(jax.random.fold_in(key, number), config.few_seeds)
            runs = {arm: [w(fit, seen, k, rate, number) for k in keys] for arm, w in watch.items()}
            loss = {arm: np.log10([one["loss"] for one in found]) for arm, found in runs.items()}
            frozen = watch[PLAIN](fit, seen, keys[0], np.float32(0.0), number)
            rows.append({
                "data": title, "activation": activation, "depth": depth, "rate": float(rate),
                "examples": len(fit["label"]), "frozen": shift(frozen["given"]),
                "shift": [shift(one["given"]) for one in runs[PLAIN]],
                "gain": loss[PLAIN] - loss[NORMED],
            })  # fmt: skip
    return rows


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-103 by the share of settings that shift and that lose; C-105 by the drift of the seeds."""
    return [judge_settings(results), judge_paper(results)]


def judge_settings(results: dict[str, Any]) -> Verdict:
    """Usually violent, and usually worse than with batch norm."""
    rows, effects = results["settings"], PLANS["C-103"].effects
    distinct = {(row["data"], row["activation"], row["depth"]) for row in rows}
    if len(distinct) < FEWEST:
        return not_run("C-103", f"{len(distinct)} settings, as MNIST or CIFAR-10 is not there")
    shifts, gains = estimates(rows, "shift"), estimates(rows, "gain")
    names = ", ".join(sorted({data_name(row["data"]) for row in rows}))
    deepest = max(row["depth"] for row in rows)
    frozen = max(row["frozen"] for row in rows)
    return all_of(
        "C-103",
        [
            usually(
                "the largest shift of the median, in spreads,",
                shifts, effect=effects["shift in spreads"], claimed="up", panel="c",
            ),
            usually(
                "log10 of the train loss without batch norm over that with it",
                gains, effect=effects["log10 of the loss"], claimed="up", panel="c",
            ),
        ],
        scope=f"{names}, {rows[0]['examples']} images of 8 x 8, {len(rows)} settings of 3 to "
        f"{deepest} layers of {results['width']:.0f} units, {results['few_steps']:.0f} updates of "
        f"SGD, batch {BATCH}, {len(rows[0]['shift'])} seeds each, float32",
        gates=[
            Gate("frozen", frozen == 0, f"at rate 0 the largest shift is {frozen:g}"),
            Gate(
                "deep and high rates",
                deepest >= 10 and any(row["depth"] == HIGH_AT for row in rows),
                f"up to {deepest:.0f} layers, rates up to {max(row['rate'] for row in rows):g}",
            ),
        ],
        beside=[
            f"{data_name(row['data'])}, {row['depth']:.0f} {row['activation']} layers, rate "
            f"{row['rate']:.2g}: shift {a.value:.3g} spreads, log10 of the losses, without over "
            f"with batch norm, {b.value:.2f}"
            for row, a, b in zip(rows, shifts, gains, strict=True)
        ],
    )  # fmt: skip


def judge_paper(results: dict[str, Any]) -> Verdict:
    """Median and spread drift less normalised than without batch norm."""
    found, effect = results["paper"], PLANS["C-105"].effects["drift in spreads"]
    parts, beside = [], []
    for measure, what in (("drift", "median"), ("unrest", "spread")):
        plain = np.asarray(found[PLAIN][measure]["given"])
        normed = {kind: np.asarray(rows) for kind, rows in found[NORMED][measure].items()}
        text = f"drift of the {what} in spreads, normalised minus without batch norm"
        parts.append(
            paired(text, normed["normalised"] - plain, effect=effect, claimed="down", panel="b")
        )
        beside.append(
            f"drift of the {what}: {plain.mean():.3f} without batch norm, "
            f"{normed['normalised'].mean():.3f} normalised, {normed['given'].mean():.3f} behind "
            "scale and bias"
        )
    frozen = max(found[arm]["frozen"] for arm in ARMS)
    return all_of(
        "C-105",
        parts,
        scope=f"{data_name(results['data_set'])}, {results['examples']} images, "
        f"{len(results['hidden'])} sigmoid layers of {results['hidden'][0]:.0f} units, "
        f"{results['steps']:.0f} updates of SGD at rate 1, batch {BATCH}, float32",
        gates=[Gate("frozen", frozen < 1e-4, f"at rate 0 the largest drift is {frozen:.1g}")],
        beside=beside,
    )


def estimates(rows: list[dict[str, Any]], key: str) -> list[Estimate]:
    """One a setting."""
    return [mean(np.asarray(row[key])) for row in rows]


def draw(results: dict[str, Any]) -> Figure:
    """A typical unit with and without batch norm, the drift of the seeds, and all settings."""
    fig, (unit, drifts, scatter) = figure(1, 3, height=4.6)
    for arm in ARMS:
        rows = np.asarray(results["paper"][arm]["unit"])
        steps = np.arange(len(rows)) * results["steps"] / len(rows)
        colour = LOOKS[arm]["color"]
        unit.plot(steps, rows[:, 1], color=colour, label=arm)
        unit.fill_between(steps, rows[:, 0], rows[:, 2], color=colour, alpha=0.2, lw=0)
    unit.set(xlabel="update", ylabel="input of a sigmoid of the last layer")
    unit.set_title(f"{data_name(results['data_set'])}: a unit's 15th, 50th, 85th percentile")
    unit.legend()
    draw_drifts(drifts, results["paper"])
    draw_settings(scatter, results["settings"])
    return fig


def draw_drifts(axes: Axes, found: dict[str, Any]) -> None:
    """Each seed's drift of the median and of the spread."""
    bars = (("without\nbatch norm", PLAIN, "given"), ("normalised", NORMED, "normalised"),
            ("behind scale\nand bias", NORMED, "given"))  # fmt: skip
    for shift_by, measure, what, marker in ((-0.15, "drift", "median", "o"),
                                            (0.15, "unrest", "spread", "s")):  # fmt: skip
        for place, (_, arm, kind) in enumerate(bars):
            values = np.asarray(found[arm][measure][kind])
            centre, low, high = interval(values)
            colour = COLOURS[2] if measure == "drift" else COLOURS[3]
            axes.plot(np.full(len(values), place + shift_by), values, ".", color=colour, alpha=0.5)
            axes.errorbar(
                [place + shift_by + 0.07], [centre], [[centre - low], [high - centre]], fmt=marker,
                color=colour, capsize=4, label=None if place else f"of the {what}",
            )  # fmt: skip
    axes.set_xticks(range(len(bars)), [name for name, _, _ in bars])
    axes.set(ylabel="drift / spreads", xlim=(-0.5, len(bars) - 0.5))
    axes.set_ylim(bottom=0)
    axes.set_title(f"The same: dots and mean of {len(values)} seeds, 95 %")
    axes.legend()


def draw_settings(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """One marker a setting: its shift, and what batch norm gains."""
    markers = dict(zip(ACTIVATIONS, "osD", strict=True))
    for row, x, y in zip(rows, estimates(rows, "shift"), estimates(rows, "gain"), strict=True):
        axes.errorbar(
            [x.value], [y.value], [[y.value - y.low], [y.high - y.value]],
            [[x.value - x.low], [x.high - x.value]], fmt=markers[row["activation"]], ms=6, lw=1,
            color=ordered("depth", row["depth"]),
        )  # fmt: skip
    for name, marker in markers.items():
        axes.plot([], [], marker, color="grey", label=name)
    for depth in sorted({row["depth"] for row in rows}):
        axes.plot([], [], "-", lw=4, color=ordered("depth", depth), label=f"{depth:.0f} layers")
    axes.axvline(1, color="black", lw=1, ls=":")
    axes.axhline(0.05, color="black", lw=1, ls=":")
    axes.set(xscale="log", xlabel="largest shift of the median / spreads", ylim=(-3.2, 2.6))
    axes.set_xticks([0.1, 1, 10, 1000, 1e6], ["0.1", "1", "10", "1000", "$10^6$"])
    axes.minorticks_off()
    axes.set_ylabel("log10 of loss without / with")
    axes.set_title(f"{len(rows)} settings, mean and 95 % of {len(rows[0]['shift'])} seeds")
    axes.legend(loc="lower right", ncols=2)
