"""Does batch norm make the initial scale matter less?

The lecture (004:532, 548): with batch norm training depends less on the start, and a small standard
deviation such as 0.01 is enough. The batch-norm paper's network of sigmoid layers starts from
N(0, std^2), std from 0.001 to 1, and learns by plain SGD with and without the norm. Every deviation
has a rate of its own, the best of a grid on other seeds by the held-back images. Judged are how
many points of test error 0.01 loses to the best deviation, which the tuning seeds choose, and how
far apart the errors of the deviations are: of all of them, and of those at which both networks
learn (under half of the images wrong while tuning). The grid comes from a pilot on another seed.

Command: python -m experiments --only does_batch_norm_weaken_the_start
(CPU, about 3 min; MNIST halved in size where there is any, else digits)
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    converged,
    data_name,
    figure,
    interval,
    mean,
    paired,
    under,
)
from experiments.lab import race as races
from experiments.normalization._sigmoid_net import ARMS, LOOKS, NORMED, PLAIN
from experiments.normalization._tuned_starts import (
    choices,
    chosen_errors,
    doubled,
    racer,
    study,
)

FIGURES = ("F-053",)
CLAIMS = ("C-100", "C-107")
TIER = 2

SMALL = 0.01
LEARNS = 50.0  # largest tuning error in percent
AT_CHANCE = 80.0  # least test error in percent
FLOOR = 7.0  # largest test error in percent of a network that has learned
PLANS = {
    "C-100": Plan(
        {"points lost at 0.01": 1.0}, gates=("edge", "conv"), settings={"floor in percent": FLOOR}
    ),
    "C-107": Plan(
        {"range of the error": 1.0},
        gates=("edge", "sat"),
        settings={"learns, in percent": LEARNS, "at chance, in percent": AT_CHANCE},
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth to choose by; `deviations` of the weights; `rates` to choose from;
    `seeds` are a multiple of `tuning_seeds`, which run together."""

    data_set: str = "mnist"
    count: int = 5000
    hidden: tuple[int, ...] = (100, 100, 100)
    deviations: tuple[float, ...] = (0.001, 0.01, 0.1, 0.3, 1.0)
    rates: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0)
    steps: int = 1600
    tuning_seeds: int = 5
    seeds: int = 10
    seed: int = 15_100


SMOKE = Config(
    "digits", 200, hidden=(8,), deviations=(0.01, 1.0), rates=(0.1, 1.0), steps=20, seeds=5
)
FULL = Config(count=60_000, steps=20_000, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """By arm: errors of all trials while tuning, and of the chosen ones when judged."""
    images = lab.split(config.data_set, config.count, test=2000)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    groups = keys.reshape(-1, config.tuning_seeds)  # the last chooses
    found = {arm: study(racer(arm, images, config, config.steps), groups, config) for arm in ARMS}
    return {
        "data_set": images.name, "examples": len(images.pool["label"]), "hidden": config.hidden,
        "steps": config.steps, "deviations": config.deviations, "rates": config.rates,
        "arms": found, "doubled": doubled(images, found[NORMED], groups[-1], config),
    }  # fmt: skip


def estimate(results: dict[str, Any], statistic: Callable[[dict[str, Any], int], Any]) -> Estimate:
    """Mean of `statistic(choices by arm, number)` over the seeds; the choice's luck counts."""
    found = {arm: choices(np.asarray(results["arms"][arm]["tuning"])) for arm in ARMS}
    values = statistic(found, 0)
    number = len(found[NORMED][1])
    luck = np.var([statistic(found, i).mean() for i in range(1, number)])
    return mean(values, choice_variance=float(luck))


def lost(results: dict[str, Any], found: dict[str, Any], number: int) -> np.ndarray:
    """Points that 0.01 loses to the best deviation with batch norm, by seed."""
    rates, best = found[NORMED]
    errors = chosen_errors(results["arms"][NORMED], rates[number])
    return errors[list(results["deviations"]).index(SMALL)] - errors[best[number]]


def ranges(
    results: dict[str, Any], some: np.ndarray, found: dict[str, Any], number: int
) -> dict[str, np.ndarray]:
    """By arm, the range of the error over some of the deviations, by seed."""
    errors = {arm: chosen_errors(results["arms"][arm], found[arm][0][number]) for arm in ARMS}
    return {
        arm: np.ptp(rows[some], axis=0) if some.any() else np.zeros(rows.shape[1])
        for arm, rows in errors.items()
    }


def narrowed(results: dict[str, Any], some: np.ndarray) -> Estimate:
    """The range of the error with batch norm minus without."""

    def statistic(found: dict[str, Any], number: int) -> np.ndarray:
        both = ranges(results, some, found, number)
        return both[NORMED] - both[PLAIN]

    return estimate(results, statistic)


def learning(results: dict[str, Any]) -> np.ndarray:
    """Which deviations let both networks learn, by the tuning seeds."""
    tuning = [np.asarray(results["arms"][arm]["tuning"]).mean(axis=2).min(axis=1) for arm in ARMS]
    return np.max(tuning, axis=0) < LEARNS


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-100 by the points lost at 0.01; C-107 by the range of the error over the deviations."""
    every, some = np.ones(len(results["deviations"]), bool), learning(results)
    effect = PLANS["C-107"].effects["range of the error"]
    parts = [
        paired(
            f"range of the test error over {which}, batch norm minus without",
            narrowed(results, chosen),
            effect=effect,
            claimed="down",
            panel="b",
        )
        for which, chosen in (
            (f"all {len(every)} deviations", every),
            (f"the {some.sum()} deviations that train", some),
        )
    ]
    scope = (
        f"{data_name(results['data_set'])}, {results['examples']} examples, "
        f"{len(results['hidden'])} sigmoid layers of {results['hidden'][0]:.0f} units, "
        f"{results['steps']} updates of SGD, batch {races.BATCH}, float32"
    )
    return [
        all_of(
            "C-100",
            [
                under(
                    "test points lost at 0.01 to the best deviation, with batch norm",
                    estimate(results, functools.partial(lost, results)),
                    PLANS["C-100"].effects["points lost at 0.01"],
                    panel="a",
                )
            ],
            scope=scope,
            gates=[edge_gate(results, [NORMED]), conv_gate(results)],
            beside=[errors_line(results, arm) for arm in ARMS],
        ),
        all_of(
            "C-107", parts, scope=scope, gates=[edge_gate(results, ARMS), sat_gate(results, some)]
        ),
    ]  # fmt: skip


def edge_gate(results: dict[str, Any], arms: Sequence[str]) -> Gate:
    """No chosen rate is an end of the grid."""
    ends = []
    for arm in arms:
        rates, _ = choices(np.asarray(results["arms"][arm]["tuning"]))
        for d, r in enumerate(rates[0]):
            if r in (0, len(results["rates"]) - 1):
                ends.append(f"{arm} at {results['deviations'][d]:g}")
    return Gate("edge", not ends, f"rates at an end: {', '.join(ends) or 'none'}")


def conv_gate(results: dict[str, Any]) -> Gate:
    """Batch norm's best deviation has converged, and learns."""
    found = {key: np.asarray(values) for key, values in results["doubled"].items()}
    gate = converged(**found, effect=PLANS["C-100"].effects["points lost at 0.01"])
    error = found["baseline"].mean()
    text = f"{gate.text}; its error is {error:.1f} %, at most {FLOOR:g} % wanted"
    return Gate("conv", gate.passed and error <= FLOOR, text)


def sat_gate(results: dict[str, Any], some: np.ndarray) -> Gate:
    """Among the deviations that train, at most a fifth of an arm's runs are at chance."""
    found = {arm: choices(np.asarray(results["arms"][arm]["tuning"]))[0][0] for arm in ARMS}
    errors = {arm: chosen_errors(results["arms"][arm], found[arm])[some] for arm in ARMS}
    shares = [np.mean(rows >= AT_CHANCE, axis=1).max(initial=0.0) for rows in errors.values()]
    most = 100 * float(max(shares))
    text = f"at the {some.sum()} deviations that train, at most {most:.0f} % of the runs fail"
    return Gate("sat", bool(some.sum() > 1 and most <= 20), text)


def errors_line(results: dict[str, Any], arm: str) -> str:
    """The mean errors at each deviation's own rate."""
    rates = choices(np.asarray(results["arms"][arm]["tuning"]))[0][0]
    errors = chosen_errors(results["arms"][arm], rates).mean(axis=1)
    rows = zip(results["deviations"], rates, errors, strict=True)
    return f"{arm}: " + ", ".join(
        f"{error:.1f} % at {deviation:g} (rate {results['rates'][r]:g})"
        for deviation, r, error in rows
    )


def draw(results: dict[str, Any]) -> Figure:
    """Error against the deviation, and the range of the error of every seed."""
    fig, (error, spread) = figure(1, 2, width=5.6, height=4.4)
    for arm, look in LOOKS.items():
        rates = choices(np.asarray(results["arms"][arm]["tuning"]))[0][0]
        errors = chosen_errors(results["arms"][arm], rates)
        rows = np.array([interval(values) for values in errors])
        band(error, results["deviations"], *rows.T, **look, marker="o")
    error.set(xscale="log", xlabel="standard deviation of the first weights", ylim=(0, 70))
    error.set_ylabel(f"test error after {results['steps']} updates / %")
    error.set_title(f"{data_name(results['data_set'])}, mean and 95 % of {errors.shape[1]} seeds")
    error.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    error.minorticks_off()
    error.legend()
    draw_ranges(spread, results)
    return fig


def draw_ranges(axes: Axes, results: dict[str, Any]) -> None:
    """Of all deviations, and of those at which both networks learn."""
    found = {arm: choices(np.asarray(results["arms"][arm]["tuning"])) for arm in ARMS}
    every, some = np.ones(len(results["deviations"]), bool), learning(results)
    for place, which in enumerate((every, some)):
        for arm, values in ranges(results, which, found, 0).items():
            colour = LOOKS[arm]["color"]
            x = place + 0.15 * (1 if arm == PLAIN else -1)
            axes.plot(np.full(len(values), x), values, ".", ms=9, color=colour, alpha=0.6)
            centre, low, high = interval(values)
            bars = [[centre - low], [high - centre]]
            axes.errorbar([x + 0.07], [centre], bars, fmt="o", color=colour, capsize=4)
    learns = ", ".join(f"{d:g}" for d in np.asarray(results["deviations"])[some])
    axes.set_xticks([0, 1], ["all deviations", f"where both learn:\n{learns}"])
    axes.set(yscale="log", ylabel="range of the test error / points", xlim=(-0.5, 1.5))
    axes.set_yticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
    axes.minorticks_off()
    axes.set_title("A dot a seed, mean and 95 %")
