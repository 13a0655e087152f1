"""How large a rate does batch norm allow, and how much sooner does it arrive?

The lecture (004:457, 524-530): larger rates, faster convergence; a small rate works without batch
norm too, but slower. The paper's network, three layers of 100 sigmoid units, plain SGD, batches of
32, with and without batch norm; every seed draws its own 4,000 images of MNIST averaged to 14 x 14.
A rate is usable if the loss on these images ends under half of where it began; rates are 2^(1/4)
apart. The target is 10 % test error at two successive looks, and each arm's best rate the one with
the fewest updates to it on five other seeds, by other images. Small is a tenth of the plain
network's best rate, which has ten times the updates. C-106: batch norm's largest usable rate is
higher, and it needs fewer updates at its best rate. C-104: at the small rate the plain network
arrives too, later than batch norm.

Command: python -m experiments --only how_large_a_rate_does_batch_norm_allow    (CPU, about 25 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    Gate,
    Part,
    Plan,
    Tuned,
    Verdict,
    all_of,
    band,
    converged,
    data_name,
    figure,
    finish,
    inside_grids,
    interval,
    not_saturated,
    paired,
    proportion,
)
from experiments.lab import rates
from experiments.normalization import _rate_runs as runs
from experiments.normalization._rate_runs import STEPS, Task
from experiments.normalization._sigmoid_net import ARMS, LOOKS, NORMED, PLAIN

FIGURES = ("F-052",)
CLAIMS = ("C-104", "C-106")
TIER = 3
SETTINGS = {
    "usable": "loss on the training images after the last update under half of that before the "
    "first, in evaluation; largest such rate",
    "arrives": "test error at most the target at two successive looks; never is twice the updates",
    "best": "least mean log10 updates to the target by validation on tuning seeds, resampled 200 "
    "times",
}
FLOOR = 7.0  # test error in percent, at most
PLANS = {
    "C-104": Plan(
        effects={"share": 0.5, "log10 updates": 0.1},
        gates=("nest", "edge", "conv"),
        settings=SETTINGS
        | {"floor": FLOOR, "conv": "twice the updates of the plain network at the small rate"},
    ),
    "C-106": Plan(
        effects={"octaves": 0.5, "log10 updates": 0.05},
        gates=("sat", "nest", "edge"),
        settings=SETTINGS,
    ),
}
RATES = (0.5, 1, 2, 4, 8, 16, 32, 64)  # named in the picture
SLOW = "without batch norm at a small rate"


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained, and which rates are tried.

    Attributes:
        task: images, network, and how long it is trained.
        tried: rates of which the best one is chosen.
        lowest: of the rates of which the largest usable one is sought.
        octaves: that these span.
        small: share of the plain network's best rate that is small.
        longer: factor of the updates at that rate.
        seed: of all keys.
        seeds: that are judged.
        tuning_seeds: that choose.
    """

    task: Task = Task()
    tried: tuple[float, ...] = tuple(0.5 * 2 ** (number / 2) for number in range(11))
    lowest: float = 4.0
    octaves: float = 4.0
    small: float = 0.1
    longer: int = 10
    seed: int = 28_104
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(
    task=Task("digits", 300, 200, 100, hidden=(4,), updates=12, looks=6, target=100.0),
    tried=(0.5, 1.0, 2.0),
    octaves=0.5,
    longer=2,
    seeds=2,
)
FULL = Config(task=Task(pool=50_000, held_back=5000), seeds=40)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Losses at the rates of every judged seed, what tuning found, and the runs at a small rate."""
    task, seeds = config.task, range(config.seeds)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    own = {"judged": keys[: config.seeds], "tuning": keys[config.seeds :]}
    span = {"lowest": config.lowest, "octaves": config.octaves}

    def losses(place: tuple[str, int]) -> dict[str, Any]:
        return runs.losses(task, place[0], keys[place[1]], **span)

    found = finish(trials, {f"{a}, seed {seed}": (a, seed) for a in ARMS for seed in seeds}, losses)
    rows = {arm: [found[f"{arm}, seed {seed}"] for seed in seeds] for arm in ARMS}
    arms = finish(
        trials, {a: a for a in ARMS}, lambda arm: runs.tuned(task, arm, config.tried, **own)
    )
    small = {"share": config.small, "longer": config.longer}
    arms |= finish(
        trials, {SLOW: small}, lambda small: runs.slowed(task, arms[PLAIN], **own, **small)
    )
    return {
        "data_set": runs.read(task).name,
        "images": runs.count(task),
        "task": dataclasses.asdict(task),
        **small,
        "grid": {a: {k: np.stack([row[k] for row in rows[a]]) for k in rows[a][0]} for a in ARMS},
        "arms": arms,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-104 and C-106, from the same runs."""
    found = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    nest = Gate("nest", None, "rates are chosen on other seeds and images; the choice is resampled")
    best = inside_grids({arm: found[arm] for arm in ARMS})
    sat, edge = inside(results, found)
    return [
        all_of(
            "C-104",
            slower(found),
            scope=scope(results),
            gates=[nest, best, converges(results, found[PLAIN])],
            beside=told(results, found),
        ),
        all_of(
            "C-106",
            [gained(results), sooner(found)],
            scope=scope(results),
            gates=[sat, nest, edge],
            beside=told(results, found),
        ),
    ]


def scope(results: dict[str, Any]) -> str:
    task = results["task"]
    net = "-".join(f"{units:.0f}" for units in task["hidden"])
    return (
        f"{data_name(results['data_set'])} ({results['images']:,.0f} training images of 14 x 14 "
        f"pixels, of digits 8 x 8), {net} sigmoid units from Xavier's start, plain SGD at a "
        f"constant rate, batch {task['batch']:.0f}, {task['updates']:,.0f} updates, at the small "
        f"rate {results['longer']:.0f} times as many, float32"
    )


def slower(found: dict[str, Tuned]) -> list[Part]:
    """The parts of C-104: the small rate arrives, and later than batch norm."""
    effects, arrived = PLANS["C-104"].effects, found[SLOW].tested["arrived"]
    return [
        proportion(
            f"share of runs that arrive {SLOW}",
            int(np.sum(arrived)), len(arrived), bound=effects["share"], claimed="up", panel="c",
        ),
        paired(
            f"log10 of the updates to the target {SLOW} over batch norm's",
            runs.ratio(found[SLOW], found[NORMED]),
            effect=effects["log10 updates"], claimed="up", panel="c",
        ),
    ]  # fmt: skip


def gained(results: dict[str, Any]) -> Part:
    """Octaves by which batch norm's largest usable rate is higher."""
    largest = {arm: rates.largest_usable(results["grid"][arm]) for arm in ARMS}
    return paired(
        "octaves by which batch norm raises the largest usable rate",
        largest[NORMED] - largest[PLAIN],
        effect=PLANS["C-106"].effects["octaves"],
        claimed="up",
        panel="a",
    )


def sooner(found: dict[str, Tuned]) -> Part:
    """How many updates batch norm needs, over those without."""
    return paired(
        "log10 of batch norm's updates to the target over those without, each at its best rate",
        runs.ratio(found[NORMED], found[PLAIN]),
        effect=PLANS["C-106"].effects["log10 updates"],
        claimed="down",
        panel="c",
    )


def converges(results: dict[str, Any], plain: Tuned) -> Gate:
    """`conv`: more updates would not let more slow runs arrive, and the network is a good one."""
    arm, effect = results["arms"][SLOW], PLANS["C-104"].effects["log10 updates"]
    gate = converged(arm["once"], arm["twice"], effect=effect)
    error = float(np.mean(plain.tested["errors"][:, -1]))
    text = f"{gate.text}; test error at its best rate {error:.2f} %, at most {FLOOR:g} demanded"
    return Gate("conv", gate.passed is True and error <= FLOOR, text)


def inside(results: dict[str, Any], found: dict[str, Tuned]) -> list[Gate]:
    """`sat` and `edge` of C-106: of the largest usable rates, of the best ones, and of the updates
    to the target there."""
    effects, task = PLANS["C-106"].effects, results["task"]
    steps = {arm: found[arm].tested[STEPS] for arm in ARMS}
    fastest = 10 ** min(map(np.min, steps.values()))
    sat, edge = rates.inside_grid(results["grid"], effect=effects["octaves"])
    arrive = not_saturated(
        steps,
        bounds=[np.log10(2 * task["updates"])],
        step=float(np.log10(1 + task["updates"] / task["looks"] / fastest)),
        effect=effects["log10 updates"],
    )
    best = inside_grids({arm: found[arm] for arm in ARMS})
    return [both("sat", sat, arrive), both("edge", edge, best)]


def both(name: str, first: Gate, second: Gate) -> Gate:
    passed = first.passed is True and second.passed is True
    return Gate(name, passed, f"{first.text}; {second.text}")


def told(results: dict[str, Any], found: dict[str, Tuned]) -> list[str]:
    """What is not judged: rates and updates."""
    lines = []
    for arm in ARMS:
        largest = 2 ** rates.largest_usable(results["grid"][arm])
        lines.append(
            f"{arm}: largest usable rate {largest.min():.3g} to {largest.max():.3g}, best rate "
            f"{float(found[arm].trial['rate']):.3g}, there {steps_of(found[arm])} updates to the "
            f"target and {np.mean(found[arm].tested['errors'][:, -1]):.2f} % test error at the end"
        )
    return [*lines, f"{SLOW}: {steps_of(found[SLOW])} updates to the target"]


def steps_of(arm: Tuned) -> str:
    """The geometric mean of an arm's updates to the target."""
    return f"{10 ** np.mean(arm.tested[STEPS]):,.0f}"


def draw(results: dict[str, Any]) -> Figure:
    """The last loss by rate, the updates to the target by rate, and the error over the updates."""
    fig, (ends, steps, curves) = figure(1, 3, width=5.2, height=4.4)
    found = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    seeds, tuning = len(found[PLAIN].tested[STEPS]), found[PLAIN].tuning.shape[1]
    for arm in ARMS:
        grid, look = results["grid"][arm], LOOKS[arm]
        ends.plot(grid["rates"].T, grid["last"].T, color=look["color"], lw=0.8, alpha=0.7)
        ends.plot([], [], **look)
        rows = np.array([interval(row) for row in results["arms"][arm]["losses"]])
        band(steps, results["arms"][arm]["trials"]["rate"], *(10**rows.T), **look)
    half = 0.5 * np.mean(results["grid"][PLAIN]["first"])
    ends.axhline(half, color="black", lw=1, ls="--", label="half of the first loss")
    ends.set(xscale="log", yscale="log", ylabel="last training loss / nats")
    ends.set_title(f"{data_name(results['data_set'])}: each of {seeds} seeds")
    task = results["task"]
    steps.set(xscale="log", yscale="log")
    steps.set_ylabel(f"updates to {task['target']:g} % (never: {2 * task['updates']:,.0f})")
    steps.set_title(f"mean and 95 % of {tuning} tuning seeds")
    ticks = [tick for tick in (200, 500, 1000, 2000, 5000, 10_000) if tick <= 2 * task["updates"]]
    steps.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    tried = (results["grid"][PLAIN]["rates"], results["arms"][PLAIN]["trials"]["rate"])
    for axes, values in zip((ends, steps), tried, strict=True):
        axes.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
        axes.set(xlabel="learning rate", xlim=(0.9 * values.min(), 1.1 * values.max()))
        axes.legend(loc="lower right" if axes is ends else "upper left")
        axes.minorticks_off()
    draw_curves(curves, results, found)
    curves.set_title(f"mean and 95 % of {seeds} seeds")
    return fig


def draw_curves(axes: Axes, results: dict[str, Any], found: dict[str, Tuned]) -> None:
    """Test errors at the best rates, and dotted at the small one."""
    for name, arm in found.items():
        slow = name == SLOW
        updates = results["task"]["updates"] * (results["longer"] if slow else 1)
        rate = float(arm.trial["rate"]) * (results["share"] if slow else 1)
        shown = PLAIN if slow else name
        look = LOOKS[shown] | {"label": f"{shown}, rate {rate:.2g}", "ls": ":" if slow else "-"}
        errors = arm.tested["errors"]
        at = updates / errors.shape[1] * (1 + np.arange(errors.shape[1]))
        band(axes, at, *np.array([interval(column) for column in errors.T]).T, **look)
    axes.axhline(results["task"]["target"], color="black", lw=1, ls="--", label="target")
    axes.set(xscale="log", yscale="log", xlabel="update", ylabel="test error / %", ylim=(1, 100))
    axes.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    axes.legend(loc="lower left")
    axes.minorticks_off()
