"""Do only small nets have bad minima, and do all ends draw together with the net's size?

The notes (003:29): the many minima have about the same loss, the gap between worst and best shrinks
with size, bad ones exist only in very small nets, and any start gives the same loss. Nets with one
hidden tanh layer learn 1,000 images of MNIST (7 x 7 means), from 10 seeds on each of 10 training
sets, with LeCun's first weights once, 3 and 10 times as large: by Adam, then by L-BFGS in float64
until the gradient is under 1e-5. A small L2 penalty is a part of the training loss, for without one
a wide net's loss has no minimum at finite weights. The gap is that of the 10 seeds on one training
set. C-129: over 3 units the gap must be under 0.05 nat and under 5 %, of the training and the test
loss, and with each doubling of the width it must fall. C-130: an end is bad if its training loss is
over twice the median; with 2 or 3 units over 5 % of the seeds must have a bad end, at the widest
under 5 %, and there the three first weights must end within 0.05 nat. E-84: the gap shrinks with
size, and must not shrink over time at the smallest width. E-47, three emphases, each of one case:
the trap (002:184) is a bad minimum with 2 or 3 units, "no bad minima" (003:29) the widest net, the
saddle (002:196) the end of the zero start.

Command: python -m experiments --only do_only_small_nets_have_bad_minima      (CPU, about 30 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    figure,
    finish,
    holds,
    interval,
    mean,
    ordered,
    over,
    paired,
    part_of,
    proportion,
    under,
)
from experiments.minima._descent import Descent, descent, is_minimum
from jaxtricks import training

FIGURES = ("F-093",)
CLAIMS = ("C-129", "C-130")
ERRATA = ("E-47", "E-84")
TIER = 3
PLANS = {
    "C-129": Plan(
        effects={"nats": 0.05, "relative": 0.05},
        gates=("gradient under 1e-5", "relative gap decides too"),
        settings={
            "gap": "of the first start's ends from 10 seeds on one training set",
            "training loss": "with the L2 penalty, which makes minima finite",
            "equal": "at every width over 3, for very small nets are the notes' exception",
            "gap falls": "natural logarithm of the gap by the octave of the width",
        },
    ),
    "C-130": Plan(
        effects={"share": 0.05, "nats": 0.05},
        gates=("minimum checked", "zeros is a saddle"),
        settings={
            "bad": "a training loss over twice the median of the width's ends on one training set, "
            "from any of a seed's starts",
            "very small": "at most 3 units",
            "wide": "the widest",
        },
    ),
}
SMALL, TWICE, FINEST = 3, 2.0, 1e-6  # units, medians, and the least gap that is told from 0
SPLITS = {"train": "training", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`gains`: of LeCun's first weights, the first of which shows the gap; `groups`: training sets,
    with `seeds` on each; further fields as of `Descent`.
    """

    data_set: str = "mnist"
    count: int = 1000
    test: int = 2000
    widths: tuple[int, ...] = (2, 3, 4, 8, 16, 32)
    gains: tuple[float, ...] = (1.0, 3.0, 10.0)
    groups: int = 10
    seeds: int = 10
    penalty: float = 5e-4
    rate: float = 0.01
    epochs: int = 30
    looks: int = 10
    batch: int = 50
    tolerance: float = 1e-6
    longest: int = 20_000
    seed: int = 67_129


SMOKE = Config(
    data_set="digits", count=50, test=50, widths=(2, 4), gains=(1.0, 3.0), groups=2, seeds=2,
    penalty=0.01, epochs=2, looks=2, longest=2000,
)  # fmt: skip
FULL = Config(widths=(2, 3, 4, 8, 16, 32, 64), count=5000, penalty=1e-4)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Of every width the ends `[gain, group, seed]`, and those of the zero start, `[group]`."""
    images = lab.read(config.data_set, pool=50_000, validation=10, test=config.test)
    pool, test = images.pool, images.test
    if images.name != "digits":
        pool, test = ({**s, "image": lab.images.halved(s["image"])} for s in (pool, test))
    set_key, seed_key = jax.random.split(jax.random.key(config.seed))
    fits = [lab.subset(k, pool, config.count) for k in jax.random.split(set_key, config.groups)]
    fit = jax.tree.map(lambda *rows: jnp.stack(rows), *fits)
    runs = config.groups * config.seeds
    group = np.arange(runs) // config.seeds
    zeros = np.arange(config.groups)
    trial = {
        "gain": np.float32([*np.repeat(config.gains, runs), *(0.0 * zeros)]),
        "group": np.concatenate([np.tile(group, len(config.gains)), zeros]),
    }
    keys = jax.random.split(seed_key, runs)
    keys = jnp.concatenate([jnp.tile(keys, len(config.gains)), keys[:: config.seeds]])
    shape = (len(config.gains), config.groups, config.seeds)

    def reached(width: int) -> dict[str, Any]:
        how = Descent(width, **{name: getattr(config, name) for name in Descent._fields[1:]})
        with jax.enable_x64(True):
            found = training.train_population(descent(how), keys, trial, shared=(fit, test))
        split = len(keys) - config.groups
        every = {name: x[:split].reshape(*shape, *x.shape[1:]) for name, x in found.items()}
        every["course"] = every["course"][0]
        return every | {"zeros": {name: found[name][split:] for name in ("lowest", "highest")}}

    every = finish(trials, {f"{width} units": width for width in config.widths}, reached)
    names = next(iter(every.values()))
    return {
        "data_set": images.name,
        "how": dataclasses.asdict(config),
        "ends": {name: [found[name] for found in every.values()] for name in names},
    }


def ends(results: dict[str, Any], name: str) -> np.ndarray:
    """A number of every end, `[width, gain, group, seed]`."""
    return np.asarray(results["ends"][name], np.float64)


def gaps(results: dict[str, Any], split: str) -> dict[str, np.ndarray]:
    """Worst minus best of the first start's ends on one training set, `[width, group]`.

    In "nats", and "relative" to the best.
    """
    losses = ends(results, split)[:, 0]
    best = losses.min(axis=-1)
    gap = np.maximum(losses.max(axis=-1) - best, FINEST)
    return {"nats": gap, "relative": gap / best}


def bad(results: dict[str, Any]) -> np.ndarray:
    """Which ends have a training loss over twice the median, `[width, gain, group, seed]`."""
    losses = ends(results, "train")
    return losses > TWICE * np.median(losses, axis=(1, 3), keepdims=True)


def small(results: dict[str, Any]) -> list[int]:
    """Places of the widths that count as very small."""
    return [i for i, width in enumerate(results["how"]["widths"]) if width <= SMALL]


def slope(results: dict[str, Any], gap: np.ndarray) -> np.ndarray:
    """Change of the gap's natural logarithm by the octave of the width, of every training set."""
    return np.polyfit(np.log2(results["how"]["widths"]), np.log(gap), 1)[0]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The four rows, by the rules above."""
    return [same_loss(results), only_small(results), emphases(results), over_time(results)]


def same_loss(results: dict[str, Any]) -> Verdict:
    """C-129: small gaps over 3 units, which fall with the width."""
    parts, effects = [], PLANS["C-129"].effects
    widths, first = results["how"]["widths"], len(small(results))
    for split, name in SPLITS.items():
        for unit, gap in gaps(results, split).items():
            text = f"{name} loss: gap, {unit}"
            equal = [
                under(f"{text}, {widths[i]:.0f} units", mean(gap[i]), effects[unit], panel="c")
                for i in range(first, len(widths))
            ]
            parts.append(part_of(equal, "all"))
            falls = slope(results, gap)
            text = f"{text}: change of its logarithm with a doubling of the width"
            parts.append(paired(text, falls, effect=effects["relative"], claimed="down", panel="c"))
    steepest = float(ends(results, "slope").max())
    gates = [
        Gate("gradient under 1e-5", steepest < 1e-5, f"the largest of all ends is {steepest:.2g}"),
        Gate("relative gap decides too", None, "both gaps are parts"),
    ]
    beside = [
        f"{name} loss: gap in nats and relative with {widths[i]:.0f} units "
        f"{gap['nats'][i].mean():.3g} and {gap['relative'][i].mean():.3g}"
        for split, name in SPLITS.items()
        for gap in [gaps(results, split)]
        for i in range(len(widths))
    ]
    return all_of("C-129", parts, scope=scope(results), gates=gates, beside=beside)


def seeds_with(flags: np.ndarray) -> tuple[int, int]:
    """How many seeds of one width have the flag `[gain, group, seed]` from any start, and of how
    many."""
    some = flags.any(axis=0)
    return int(some.sum()), some.size


def only_small(results: dict[str, Any]) -> Verdict:
    """C-130: bad ends in very small nets only, and one loss from every start."""
    effects, widths, worse = PLANS["C-130"].effects, results["how"]["widths"], bad(results)

    def share(place: int, claimed: Any) -> Part:
        text = f"share of seeds with a bad end, {widths[place]:.0f} units"
        counts = seeds_with(worse[place])
        return proportion(text, *counts, bound=effects["share"], claimed=claimed, panel="a")

    losses = ends(results, "train")
    apart = np.ptp(losses, axis=1).reshape(len(widths), -1)
    text = f"loss of the worst start minus the best one's, {widths[-1]:.0f} units, nats"
    parts = [
        part_of([share(place, "up") for place in small(results)], "any"),
        share(len(widths) - 1, "down"),
        under(text, mean(apart[-1]), effects["nats"], panel="a"),
    ]
    minima = is_minimum(ends(results, "lowest"), ends(results, "highest"))
    saddles = ~is_minimum(*zeros(results))
    gates = [
        Gate("minimum checked", minima.all(), f"{minima.mean():.2%} of the ends are minima"),
        Gate("zeros is a saddle", saddles.all(), f"{saddles.mean():.0%} end at one; left out"),
    ]
    beside = [
        f"{width:.0f} units: {seeds_with(worse[i])[0]} of {seeds_with(worse[i])[1]} seeds have a "
        f"bad end; starts end {apart[i].mean():.3g} nats apart"
        for i, width in enumerate(widths)
    ]
    return all_of("C-130", parts, scope=scope(results), gates=gates, beside=beside)


def zeros(results: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest curvatures where the zero start ends, `[width, group]`."""
    rows = results["ends"]["zeros"]
    low, high = (np.array([row[name] for row in rows]) for name in ("lowest", "highest"))
    return low, high


def emphases(results: dict[str, Any]) -> Verdict:
    """E-47: each of the three lines fits one case."""
    minima = is_minimum(ends(results, "lowest"), ends(results, "highest"))
    traps, places = bad(results) & minima, small(results)
    saddles = ~is_minimum(*zeros(results))
    count, widest = int(traps[places].sum()), int(bad(results)[-1].sum())
    parts = [
        holds(f"trap: {count} bad minima with at most {SMALL} units", count > 0, panel="a"),
        holds(f"no bad minima: {widest} bad ends of the widest net", widest == 0, panel="a"),
        holds(f"saddle: {saddles.mean():.0%} of the zero starts end at one", saddles.all()),
    ]
    return all_of("E-47", parts, scope=scope(results))


def over_time(results: dict[str, Any]) -> Verdict:
    """E-84: size shrinks the gap, time does not."""
    course, effect = np.asarray(results["ends"]["course"][0]), PLANS["C-129"].effects["relative"]
    tenth = max(course.shape[-1] // 10, 1) - 1
    then = np.maximum(np.ptp(course[..., tenth], axis=1), FINEST)
    gap = gaps(results, "train")["nats"]
    width = results["how"]["widths"][0]
    text = f"{width:.0f} units: logarithm of the gap at the end over that after a tenth of Adam"
    parts = [
        over(text, mean(np.log(gap[0] / then)), -effect, panel="d"),
        paired(
            "training loss: change of the gap's logarithm with a doubling of the width",
            slope(results, gap),
            effect=effect,
            claimed="down",
            panel="c",
        ),
    ]
    return all_of("E-84", parts, scope=scope(results))


def scope(results: dict[str, Any]) -> str:
    how = results["how"]
    return (
        f"{data_name(results['data_set'])}, {how['groups']:.0f} training sets of "
        f"{how['count']:.0f} images of 7 x 7 pixels (digits 8 x 8), one hidden tanh layer of "
        f"{how['widths'][0]:.0f} to {how['widths'][-1]:.0f} units, L2 of {how['penalty']:g}, "
        f"{how['epochs']:.0f} epochs of Adam in float32, then L-BFGS in float64"
    )


def draw(results: dict[str, Any]) -> Figure:
    """Losses of all ends by width, the gap of one start's ends, and the gap over time."""
    fig, (train, test, gap, time) = figure(2, 2, width=6.2, height=4.8)
    for axes, split in ((train, "train"), (test, "test")):
        draw_ends(axes, results, split)
    draw_gaps(gap, results)
    draw_time(time, results)
    for axes in (train, test, gap, time):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3)
    return fig


def log_widths(axes: Axes, widths: Any) -> None:
    """Every width has a tick."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [f"{width:.0f}" for width in widths])
    axes.set_xlabel("hidden units")


def draw_ends(axes: Axes, results: dict[str, Any], split: str) -> None:
    """Every end on the first training set; worst and best joined; chance."""
    how, losses = results["how"], ends(results, split)[:, :, 0]
    widths, gains = np.asarray(how["widths"]), how["gains"]
    for number, gain in enumerate(gains):
        shift = widths * 1.1 ** (number - (len(gains) - 1) / 2)
        label = f"LeCun's weights x {gain:g}"
        axes.plot(shift, losses[:, number], ".", color=COLOURS[number], alpha=0.4, ms=5)
        axes.plot([], [], ".", ms=9, color=COLOURS[number], label=label)
    every = losses.reshape(len(widths), -1)
    axes.plot(widths, every.max(axis=1), "-", color="black", lw=1, label="worst end")
    axes.plot(widths, every.min(axis=1), "--", color="black", lw=1, label="best end")
    axes.axhline(np.log(10), color="0.4", ls=":", label="chance")
    log_widths(axes, widths)
    axes.set(yscale="log", ylabel=f"{SPLITS[split]} loss of each end / nats")
    axes.yaxis.set_major_formatter("{x:g}")
    sizes = f"first of {how['groups']:.0f} training sets, {how['seeds']:.0f} seeds a start"
    axes.set_title(f"{data_name(results['data_set'])}, {sizes}")


def draw_gaps(axes: Axes, results: dict[str, Any]) -> None:
    """Mean gap over the training sets, with its interval."""
    widths = results["how"]["widths"]
    for number, (split, name) in enumerate(SPLITS.items()):
        for unit, line in (("nats", "-"), ("relative", "--")):
            rows = np.array([interval(np.log(row)) for row in gaps(results, split)[unit]])
            look = {"color": COLOURS[number], "linestyle": line, "marker": "os"[number]}
            band(axes, widths, *np.exp(rows).T, label=f"{name}, {unit}", **look)
    effect = PLANS["C-129"].effects["nats"]
    axes.axhline(effect, color="black", ls=":", lw=1, label=f"{effect:g}")
    log_widths(axes, widths)
    axes.set(yscale="log", ylabel="worst minus best / nats, or / best")
    groups = results["how"]["groups"]
    axes.set_title(f"first start, mean and 95 % of {groups:.0f} training sets")


def draw_time(axes: Axes, results: dict[str, Any]) -> None:
    """The gap of the training loss in the course of Adam, and at the minima."""
    how = results["how"]
    updates = how["epochs"] * (how["count"] // how["batch"])
    for width, course, end in zip(
        how["widths"], results["ends"]["course"], gaps(results, "train")["nats"], strict=True
    ):
        gap = np.ptp(np.asarray(course), axis=1).mean(axis=0)
        looks = updates * np.arange(1, len(gap) + 1) / len(gap)
        colour = ordered("width", width)
        axes.plot(looks, gap, color=colour, label=f"{width:.0f} units")
        axes.plot([looks[-1], 1.15 * updates], [gap[-1], end.mean()], ":", color=colour)
        axes.plot(1.15 * updates, end.mean(), "o", color=colour, ms=6)
    axes.set(xlabel="update of Adam; dots: the minima behind it", yscale="log")
    axes.set_ylabel("gap of the training loss / nats")
    axes.set_title(f"mean over {how['groups']:.0f} training sets of {how['seeds']:.0f} seeds")
