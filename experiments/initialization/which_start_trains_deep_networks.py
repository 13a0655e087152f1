"""Which start trains deep networks?

The notes (004:313-314, 547): a bad start spoils how gradients pass and slows training, a good one
is faster and likelier to end well; for ReLU without batch norm use He's, Gaussian or uniform.
Networks of ReLU layers are trained by Adam on MNIST; every seed draws its own images, and the rate
is chosen for each start on other seeds, by the measure that is judged. C-090: in 10 layers He's
deviation times 1/8, 1/4, ... 8. The farther from He's, the farther must the gradient at layer 1 be
from that at layer 10 before the first update, the later must the training loss reach a target, and
the higher must it end (rank correlations over all runs, 0.3 matters). C-099: at 10 and at 30 layers
the test error, averaged over the run, must be lower from each of He's starts than from Xavier's,
LeCun's and a deviation of 0.01 (0.5 point matters); a start that stays at chance is no evidence.
E-82: the notes count initialisation among the tricks against over-fitting (004:652), but already
the training loss must end lower from He's start than from Xavier's.

Command: python -m experiments --only which_start_trains_deep_networks        (CPU, about 20 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments import lab
from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Part,
    Plan,
    Tuned,
    Verdict,
    all_of,
    band,
    choice_variance,
    correlation,
    data_name,
    figure,
    finish,
    inside_grids,
    interval,
    mean,
    paired,
)
from experiments.engine._part import left_open
from experiments.initialization._deep_starts import END, GRADIENT, STEPS, Start, learner, trial
from jaxtricks import training

CLAIMS = ("C-090", "C-099")
ERRATA = ("E-82",)
TIER = 3
PLANS = {
    "C-090": Plan(
        effects={"rank correlation": 0.3},
        gates=("sat", "nest"),
        settings={
            "distance": "octaves from He's deviation, to either side",
            "gradient": "octaves between its rms at the first and at the last hidden layer",
            "units": "runs: every scale has seeds of its own",
            "choice": "rate by the measure that is judged, on another seed for each run",
        },
    ),
    "C-099": Plan(
        effects={"points": 0.5},
        gates=("nest", "edge", "sat"),
        settings={
            "choice": "rate by validation error averaged over the run, resampled 200 times",
            "sat": "parts are left open whose other start is at chance in over a fifth of the "
            "seeds; it then has no best rate either",
        },
    ),
}
LOSS = 0.05  # log10, of E-82: 12 %
CHANCE = 88.0  # % of errors, averaged over a run: always one class has 88.65 % or more
CHANCE_LOSS = 0.95 * np.log(10)
SHARE = 0.2  # of the seeds


STARTS = {
    "He": Start("he", advised=True, color=COLOURS[5]),
    "He, uniform": Start("he", {"distribution": "uniform"}, True, COLOURS[5], ":"),
    "Xavier": Start("xavier", color=COLOURS[2]),
    "LeCun": Start("lecun", color=COLOURS[4], linestyle="--"),
    "N(0, 0.01)": Start("gaussian", {"std": 0.01}),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`scales`: of the first start, at `scaled_depth`; `every`: epochs between two looks.

    `target`: training loss that counts as reached where two looks in a row are under it.
    """

    data_set: str = "mnist"
    pool: int = 50_000
    validation: int = 2000
    test: int = 2000
    count: int = 2000
    width: int = 64
    starts: dict[str, Start] = dataclasses.field(default_factory=lambda: STARTS)
    depths: tuple[int, ...] = (10, 30)
    scaled_depth: int = 10
    scales: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    target: float = 0.3
    epochs: int = 60
    every: int = 2
    batch: int = 50
    rates: tuple[float, ...] = tuple(5e-5 * 2**number for number in range(9))
    seed: int = 67_099
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits", pool=800, validation=200, test=200, count=100, width=8, depths=(2,),
    scaled_depth=2, scales=(0.5, 1.0, 2.0), epochs=6, rates=(1e-3, 4e-3), seeds=2, tuning_seeds=1,
)  # fmt: skip
FULL = Config(count=20_000, epochs=120, seeds=20)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What the first start's scales do, and what tuning found for every start at every depth."""
    images = lab.read(
        config.data_set, pool=config.pool, validation=config.validation, test=config.test
    )
    programs = {depth: learner(config, depth) for depth in {*config.depths, config.scaled_depth}}
    scale_key, start_key = jax.random.split(jax.random.key(config.seed))
    keys = jax.random.split(scale_key, (len(config.scales), config.seeds, 2))
    own = jax.random.split(start_key, config.seeds + config.tuning_seeds)
    rates = np.array(config.rates, np.float32)

    def scaled(number: int) -> dict[str, Any]:
        program, given = programs[config.scaled_depth], (images.pool, images.test)
        others, judged = keys[number, :, 0], keys[number, :, 1]
        gain = config.scales[number]
        found = lab.over(program, trial(rates, gain=gain), others, given)
        results = {}
        for name, order in ((STEPS, (found[END], found[STEPS])), (END, (found[END],))):
            chosen = rates[np.lexsort(order, axis=0)[0]]
            again = trial(chosen, gain=gain)
            results[name] = training.train_population(program, judged, again, shared=given)
            results[name] = {key: results[name][key] for key in (GRADIENT, STEPS, END)}
            results[name]["rate"] = chosen
        return results

    def tuned(arm: dict[str, int]) -> dict[str, Any]:
        program, grid = programs[arm["depth"]], trial(rates, start=arm["start"])
        others, judged = own[config.seeds :], own[: config.seeds]
        found = lab.over(program, grid, others, (images.pool, images.validation))
        losses = np.asarray(found["error"]).mean(axis=-1)
        return lab.tested(program, grid, losses, judged=judged, shared=(images.pool, images.test))

    scales = {f"He's times {gain:g}": number for number, gain in enumerate(config.scales)}
    arms = {
        f"{depth} layers, {name}": {"depth": depth, "start": number}
        for depth in config.depths
        for number, name in enumerate(config.starts)
    }
    found = finish(trials, arms, tuned)
    for arm in found.values():  # judged by its errors; in 30 layers a small start's ratio is 0
        arm["tested"].pop(GRADIENT)
    return {
        "data_set": images.name,
        "how": dataclasses.asdict(config),
        "scales": list(finish(trials, scales, scaled).values()),
        "arms": found,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The two claims, and where E-82's effect shows."""
    return [by_scale(results), by_start(results), by_loss(results)]


def by_scale(results: dict[str, Any]) -> Verdict:
    """C-090: the rank correlation of each measure with the distance from He's deviation."""
    scales, how = results["scales"], results["how"]
    octaves = np.abs(np.log2(how["scales"]))
    distance = np.repeat(octaves, len(scales[0][END][END]))
    texts = {
        GRADIENT: "octaves between the gradient at the first and at the last hidden layer",
        STEPS: "updates until the training loss reaches the target",
        END: "training loss at the end",
    }
    parts = []
    for panel, (name, text) in zip("abc", texts.items(), strict=True):
        values = np.concatenate([np.abs(measured(scale, name)) for scale in scales])
        ranks = correlation(stats.rankdata(distance), stats.rankdata(values))
        text = f"rank correlation of the distance from He's deviation with the {text}"
        effect = PLANS["C-090"].effects["rank correlation"]
        parts.append(paired(text, ranks, effect=effect, claimed="up", panel=panel))
    stuck = [
        f"{scale:g}"
        for scale, found in zip(how["scales"], scales, strict=True)
        if np.mean(measured(found, END) >= CHANCE_LOSS) > SHARE
    ]
    text = f"training loss at chance or over it in over a fifth of the seeds at {len(stuck)} scales"
    gates = [
        Gate("sat", len(stuck) <= 2, f"{text} ({', '.join(stuck) or 'none'}), 2 are allowed"),
        Gate("nest", None, "each run's rate is chosen on another seed, by the measure judged"),
    ]
    return all_of("C-090", parts, scope=scope(results, [how["scaled_depth"]]), gates=gates)


def measured(scale: dict[str, Any], name: str) -> np.ndarray:
    """What is judged of one scale; the gradient's ratio does not depend on the rate."""
    return np.asarray(scale[END if name == GRADIENT else name][name], np.float64)


def over_run(found: dict[str, Any]) -> np.ndarray:
    """Test error in percent, averaged over the run, of every seed."""
    return np.asarray(found["error"]).mean(axis=1)


def tuned(results: dict[str, Any]) -> dict[str, Tuned]:
    return {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}


def pairs(results: dict[str, Any]) -> list[tuple[float, str, str]]:
    """Depth, advised start and other start of every comparison."""
    starts = results["how"]["starts"]
    advised = [name for name, start in starts.items() if start["advised"]]
    others = [name for name in starts if name not in advised]
    return [(d, a, o) for d in results["how"]["depths"] for a in advised for o in others]


def lower(arms: dict[str, Tuned], depth: float, advised: str, other: str) -> Estimate:
    """Points by which the test error over the run is lower from the advised start."""
    two = [arms[f"{depth:.0f} layers, {name}"] for name in (advised, other)]

    def points(mine: Any, theirs: Any) -> np.ndarray:
        return over_run(mine) - over_run(theirs)

    return mean(points(*(a.tested for a in two)), choice_variance=choice_variance(points, *two))


def by_start(results: dict[str, Any]) -> Verdict:
    """C-099: each advised start against each other at each depth."""
    arms, effect = tuned(results), PLANS["C-099"].effects["points"]
    stuck = {name: float(np.mean(over_run(arm.tested) >= CHANCE)) for name, arm in arms.items()}
    free = {name: arm for name, arm in arms.items() if stuck[name] <= SHARE}
    parts: list[Part] = []
    for depth, advised, other in pairs(results):
        text = f"{depth:.0f} layers: error over the run from {advised} minus that from {other}"
        found = lower(arms, depth, advised, other)
        part = paired(f"{text}, points", found, effect=effect, claimed="down", panel="f")
        name = f"{depth:.0f} layers, {other}"
        if name not in free:
            part = left_open(part, f"{100 * stuck[name]:.0f} % of the seeds of {other} at chance")
        parts.append(part)
    shown = "; ".join(f"{name}: {100 * s:.0f} %" for name, s in stuck.items() if s) or "none"
    gates = [
        Gate("nest", None, "each start's rate is chosen on other seeds; the choice is resampled"),
        inside_grids(free),
        Gate("sat", None, f"parts at chance are left open; seeds at chance: {shown}"),
    ]
    beside = [
        f"{name}: error over the run {over_run(arm.tested).mean():.1f} %, rate "
        f"{float(arm.trial['rate']):.2g}"
        for name, arm in arms.items()
    ]
    where = scope(results, results["how"]["depths"])
    return all_of("C-099", parts, scope=where, gates=gates, beside=beside)


def by_loss(results: dict[str, Any]) -> Verdict:
    """E-82: the training loss at the end from Xavier's start and from He's."""
    arms, parts = tuned(results), []
    for depth in results["how"]["depths"]:
        he, xavier = (
            np.log10(np.maximum(arms[f"{depth:.0f} layers, {name}"].tested[END], 1e-9))
            for name in ("He", "Xavier")
        )
        text = f"{depth:.0f} layers: log10 of the training loss from Xavier's start over He's"
        parts.append(paired(text, xavier - he, effect=LOSS, claimed="up"))
    return all_of("E-82", parts, scope=scope(results, results["how"]["depths"]))


def scope(results: dict[str, Any], depths: Any) -> str:
    how = results["how"]
    return (
        f"{data_name(results['data_set'])}, {how['count']:.0f} images a seed (of 14 x 14 pixels, "
        f"digits 8 x 8), {' and '.join(f'{depth:.0f}' for depth in depths)} layers of "
        f"{how['width']:.0f} ReLU units, Adam at a constant rate, {how['epochs']:.0f} epochs, "
        f"batches of {how['batch']:.0f}, float32"
    )


def draw(results: dict[str, Any]) -> Figure:
    """The three measures against the scale; errors over the run; what He's starts gain."""
    depths = results["how"]["depths"]
    fig, axes = figure(2, max(3, len(depths) + 1), width=5.2, height=4.6)
    columns = len(axes) // 2
    draw_scales(axes[:3], results)
    for panel, depth in zip(axes[columns:], depths, strict=False):
        draw_errors(panel, results, depth)
    draw_gains(axes[columns + len(depths)], results)
    for panel in (*axes[3:columns], *axes[columns + len(depths) + 1 :]):
        panel.set_axis_off()
    return fig


def draw_scales(axes: list[Axes], results: dict[str, Any]) -> None:
    """Every run, and the means over the seeds of a scale."""
    how = results["how"]
    labels = (
        "log2 of the gradient, first / last layer",
        f"updates to a training loss of {how['target']:g}",
        "training loss at the end / nats",
    )
    for panel, name, label in zip(axes, (GRADIENT, STEPS, END), labels, strict=True):
        rows = np.stack([measured(scale, name) for scale in results["scales"]])
        scales = np.broadcast_to(np.asarray(how["scales"])[:, None], rows.shape)
        panel.plot(scales.ravel(), rows.ravel(), "o", ms=4, alpha=0.5, color=COLOURS[5])
        panel.plot(how["scales"], np.median(rows, axis=1), "-", color=COLOURS[5], label="median")
        panel.set_xscale("log", base=2)
        panel.set_xticks(how["scales"], [f"{scale:g}" for scale in how["scales"]])
        panel.set(xlabel="deviation / He's", ylabel=label)
        panel.set_title(f"{how['scaled_depth']:.0f} layers, {rows.shape[1]} seeds a scale")
    axes[0].axhline(0, color="black", lw=0.8)
    limit = how["epochs"] * (how["count"] // how["batch"])
    axes[1].axhline(limit, color="black", ls="--", lw=0.8)
    axes[1].text(0.7, 0.98 * limit, "end of the training", ha="center", va="top")
    axes[2].set_yscale("log")
    axes[2].axhline(np.log(10), color="black", ls="--", lw=0.8, label="chance")
    axes[2].legend(loc="upper left")


def draw_errors(axes: Axes, results: dict[str, Any], depth: float) -> None:
    """Test error over the run, by start."""
    how, seeds = results["how"], 0
    for name, start in how["starts"].items():
        arm = lab.best(results["arms"][f"{depth:.0f} layers, {name}"])
        rows = np.array([interval(column) for column in np.asarray(arm.tested["error"]).T])
        updates = how["every"] * (how["count"] // how["batch"]) * (1 + np.arange(len(rows)))
        look = {"color": start["color"], "linestyle": start["linestyle"]}
        band(axes, updates, *rows.T, label=f"{name}, rate {float(arm.trial['rate']):.2g}", **look)
        seeds = len(arm.tested["error"])
    axes.set(xlabel="update of Adam", ylabel="test error / %", yscale="log", ylim=(4, 200))
    axes.set_yticks([5, 10, 20, 50, 90], ["5", "10", "20", "50", "90"])
    axes.minorticks_off()
    axes.set_title(f"{depth:.0f} layers, mean and 95 % of {seeds} seeds")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def draw_gains(axes: Axes, results: dict[str, Any]) -> None:
    """Points by which the error over the run is lower from the advised starts."""
    arms, effect, rows = tuned(results), PLANS["C-099"].effects["points"], pairs(results)
    for row, (depth, advised, other) in enumerate(reversed(rows)):
        found, start = lower(arms, depth, advised, other), results["how"]["starts"][other]
        ends = [[found.value - found.low], [found.high - found.value]]
        fill = "none" if results["how"]["starts"][advised]["linestyle"] == ":" else start["color"]
        axes.errorbar(found.value, row, xerr=ends, fmt="o", color=start["color"], mfc=fill)
    axes.set_yticks(range(len(rows)), [f"{d:.0f}: {a} / {o}" for d, a, o in reversed(rows)])
    axes.axvspan(-effect, effect, color="0.88", lw=0)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([-50, -10, -2, 0, 2, 10], ["-50", "-10", "-2", "0", "2", "10"])
    axes.minorticks_off()
    axes.set_xlabel("error minus the other's / points")
    axes.set_title("layers: start / other, 95 %")
