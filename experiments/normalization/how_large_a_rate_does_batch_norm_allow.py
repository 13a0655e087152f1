"""How large a rate does batch norm allow, and how much sooner does it arrive?

The lecture (004:457, 524-530): larger rates, faster convergence; a small rate works without batch
norm too, but slower. The paper's network, three layers of 100 sigmoid units, plain SGD, batches of
32, at many rates, with and without. Fixed before the run: a rate is usable if every seed ends under
50 % error; the target is 10 % test error; each arm's best rate is the one with the fewest steps
to it on the tuning seeds, and the test is on other seeds. Small is a tenth of the best rate of the
plain network.
Changed after a first run: its rates were 3 times apart, which cannot tell a ratio of 5, and it took
the ratio of the largest usable rates as it was, which refuted it (3.1). Then they were 1.6 times
apart, on 2 tuning seeds, and the ratio's bounds decided: 4 to 10. Now they are 1.26 times apart, on
5 seeds. And Ioffe and Szegedy's own comparison was added, at equal rates: how many times fewer
updates batch norm needs to the error that the plain network ends with.

Command: python -m experiments --only how_large_a_rate_does_batch_norm_allow
(CPU, about 3 min; MNIST halved in size where there is any, else digits)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import races
from experiments.engine import band, data_name, figure, interval
from experiments.engine._verdict import Outcome
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.normalization import _sigmoid_net as sigmoid_net
from experiments.normalization._sigmoid_net import ARMS, LOOKS, NORMED, PLAIN

FIGURES = ("F-052",)
CLAIMS = ("C-104", "C-106")
TIER = 2

TARGET, USABLE = 10.0, 50.0  # test error / %


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth unused; `rates` from 0.1 to 100; `marks` looks at the error."""

    data_set: str = "mnist"
    count: int = 5000
    hidden: tuple[int, ...] = (100, 100, 100)
    rates: int = 31
    steps: int = 2000
    marks: int = 40
    tuning_seeds: int = 5
    seeds: int = 5


SMOKE = Config("digits", 200, hidden=(8,), rates=2, steps=20, marks=2, tuning_seeds=2, seeds=2)
FULL = Config(count=60_000, steps=50_000, marks=500, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Errors `[rate, tuning seed, mark]`, and of fresh seeds at the best rate `[seed, mark]`."""
    images = races.read(config.data_set, config.count)
    keys = jax.random.split(jax.random.key(0), config.seeds + config.tuning_seeds)
    rates = np.geomspace(0.1, 100.0, config.rates, dtype=np.float32)
    shape = {"hidden": config.hidden, "steps": config.steps, "marks": config.marks}
    found: dict[str, Any] = {"data_set": images.name, "rates": rates, "steps": config.steps}
    for arm in ARMS:
        errors = sigmoid_net.examiner(arm, images, **shape)
        tuning = errors({"rate": rates}, keys[config.seeds :])
        steps = sigmoid_net.steps_to(tuning, TARGET, config.steps).mean(axis=1)
        # Where no rate gets there, the one that ends lowest.
        best = int(np.argmin(steps if np.isfinite(steps).any() else tuning[..., -1].mean(axis=1)))
        chosen = rates[[best]] if arm == NORMED else rates[best] * np.array([1, 0.1], np.float32)
        fresh = errors({"rate": chosen}, keys[: config.seeds])
        found[arm] = {"tuning": tuning, "best": best, "fresh": fresh}
    return found


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-106 if batch norm's largest usable rate is over 5 times the plain network's, whatever lies
    between the rates tried, and it needs fewer steps at the best rates. C-104 if the plain network
    at a tenth of its best rate arrives too, or is on its way (under 50 %), with more steps than
    batch norm. Runs that never arrive count as all steps."""
    rates, most = results["rates"], results["steps"]
    limits, steps = {}, {}
    for arm in ARMS:
        usable = results[arm]["tuning"][..., -1].max(axis=1) < USABLE
        last = int(np.flatnonzero(usable).max(initial=0))
        limits[arm] = rates[last], rates[min(last + 1, len(rates) - 1)]
        taken = sigmoid_net.steps_to(results[arm]["fresh"], TARGET, most)
        steps[arm] = np.minimum(taken, most)
    small = results[PLAIN]["fresh"][1, :, -1]
    text = (
        f"steps to {TARGET:g} %: {steps[NORMED][0].mean():.0f} with batch norm at the rate "
        f"{rates[results[NORMED]['best']]:.2g}, {steps[PLAIN][0].mean():.0f} without at "
        f"{rates[results[PLAIN]['best']]:.2g}; log10 ratio"
    )
    slower = np.log10(steps[PLAIN][1] / steps[NORMED][0])
    return [
        combine(
            "C-106",
            [
                ratio_over_5(limits),
                paired(
                    "C-106", np.log10(steps[NORMED][0] / steps[PLAIN][0]), text, claimed="negative"
                ),
            ],
        ),
        combine(
            "C-104",
            [
                exact(
                    "C-104", small.max() < USABLE,
                    f"error at the end at a tenth of the best rate: {small.mean():.1f} %",
                ),
                paired(
                    "C-104", slower, "log10 of its steps over batch norm's", claimed="positive"
                ),
            ],
        ),
    ]  # fmt: skip


def sooner(results: dict[str, Any]) -> np.ndarray:
    """How many times fewer updates batch norm needs to the error that the plain network ends with
    at the same rate and seed, `[rate, seed]`; where it never gets there, 1, which flatters it."""
    plain, normed = (np.asarray(results[arm]["tuning"]) for arm in (PLAIN, NORMED))
    reached = normed <= plain[..., -1:]
    marks = plain.shape[-1]
    first = np.where(reached.any(axis=-1), 1 + np.argmax(reached, axis=-1), marks)
    return marks / first


def ratio_over_5(limits: dict[str, tuple[float, float]]) -> Verdict:
    """Each limit lies between the largest usable rate and the next one."""
    least = limits[NORMED][0] / limits[PLAIN][1]
    most = limits[NORMED][1] / limits[PLAIN][0]
    outcome: Outcome = "confirmed" if least > 5 else "refuted" if most < 5 else "undecided"
    text = (
        f"largest usable rate {limits[NORMED][0]:.3g} with, {limits[PLAIN][0]:.3g} without, ratio "
        f"between {least:.2g} and {most:.2g}"
    )
    return Verdict("C-106", outcome, text)


def draw(results: dict[str, Any]) -> Figure:
    """Error at the end by rate, error over the updates at the best rates, and at equal rates."""
    fig, (ends, curves, equal) = figure(1, 3, height=4.4)
    rates = np.asarray(results["rates"])
    for arm, look in LOOKS.items():
        rows = results[arm]["tuning"][..., -1]
        ends.plot(rates, rows.mean(axis=1), **look)
        ends.fill_between(rates, rows.min(axis=1), rows.max(axis=1), color=look["color"], alpha=0.2)
        draw_curves(curves, results, arm)
    ends.set(xscale="log", xlabel="learning rate", ylabel="test error at the end / %")
    ends.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    ends.legend(loc="upper left")
    tuning, seeds = results[PLAIN]["tuning"].shape[1], results[PLAIN]["fresh"].shape[1]
    ends.set_title(f"{data_name(results['data_set'])}, mean and range of {tuning} seeds")
    curves.axhline(TARGET, color="black", lw=1, ls="--", label=f"target, {TARGET:g} %")
    curves.set(yscale="log", xlabel="update", ylabel="test error / %", ylim=(1, 100))
    curves.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    curves.legend(loc="lower left")
    curves.set_title(f"Mean and 95 % of {seeds} other seeds")
    draw_equal(equal, results, rates)
    for axes in (ends, curves, equal):
        axes.minorticks_off()
    return fig


def draw_curves(axes: Axes, results: dict[str, Any], arm: str) -> None:
    """Solid: at the best rate. Dotted: at a tenth of it."""
    fresh = results[arm]["fresh"]
    steps = (1 + np.arange(fresh.shape[-1])) * results["steps"] / fresh.shape[-1]
    for place, style in zip(fresh, ("-", ":"), strict=False):
        found = np.array([interval(column) for column in place.T])
        rate = results["rates"][results[arm]["best"]] * (1.0 if style == "-" else 0.1)
        look = LOOKS[arm] | {"label": f"{arm}, rate {rate:.2g}", "linestyle": style}
        band(axes, steps, *found.T, **look)


def draw_equal(axes: Axes, results: dict[str, Any], rates: np.ndarray) -> None:
    """How many times fewer updates batch norm needs at the plain network's rates."""
    factors = sooner(results)[rates <= results["rates"][results[PLAIN]["best"]]]
    rows = np.array([interval(row) for row in factors])
    rows = np.maximum(rows, 0.1)  # where an interval goes below 0
    band(axes, rates[: len(factors)], *rows.T, **LOOKS[NORMED])
    axes.axhline(1, color="black", lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="learning rate of both", ylim=(0.5, 100))
    axes.set_ylabel("times fewer updates")
    axes.set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    axes.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    axes.set_title(f"Gain to the last error without, {factors.shape[1]} seeds")
