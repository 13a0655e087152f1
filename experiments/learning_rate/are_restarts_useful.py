"""Does SGDR restart the rate and decay it by the printed cosine, and are its restarts of use?

Note 002:541-546 prints a formula and asserts no use. Judged is the formula: the rate starts each
cycle at eta_max, ends it at eta_min and follows the cosine between, in two settings (cycles of 50,
100, 200 and 400 updates with fixed ends; four of 50 with both ends halved each time). Printed and
drawn besides is what restarts do to a net: a 64-unit ReLU net, plain SGD, batches of 32, 15 epochs,
in cosine cycles of 1, 2, 4 and 8 epochs or in one cosine, from 0.4. Anytime: if training were
stopped after an epoch, the checkpoint with the least validation error so far would be kept.

Command: python -m experiments --only are_restarts_useful      (CPU, about 15 s)
"""

import dataclasses
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
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    exactly,
    figure,
    interval,
    tolerance,
)
from experiments.lab import ensembles as runs
from jaxtricks import models, optimizers, schedules
from jaxtricks.averaging import cycle_ends

CLAIMS = ("C-054",)
TIER = 2
PEAK, LOW, FIRST, CYCLES = 0.5, 0.005, 50, 4
SHAPES = ((2, 1.0), (1, 0.5))  # factors of the cycles' lengths, and of both ends
SHORT = 1e-3  # of an update before a cycle's end: the last that still belongs to it
PLANS = {
    "C-054": Plan(
        effects={"distance over eta_max": 1e-6},
        gates=("one cycle",),
        settings={
            "eta_max, eta_min, first cycle": (PEAK, LOW, FIRST),
            "factors of length and ends": SHAPES,
            "cycles": CYCLES,
            "the end": "0.001 of an update before the restart",
        },
    )
}

KINDS = ("one cosine", "restarts")
EPOCHS, ENSEMBLE = 15, 3  # cycles of 1, 2, 4 and 8 epochs; the ends of the last three


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the training and validation examples together, and of the test's."""

    data_set: str = "mnist"
    limit: int = 5000
    hidden: int = 64
    rate: float = 0.4
    seeds: int = 10


SMOKE = Config(data_set="digits", limit=500, hidden=16, seeds=2)
FULL = Config(limit=60_000, hidden=256, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """The schedule's rates and the formula's; the errors of the nets."""
    return {"schedule": schedule_points(), **trained(config)}


def schedule_points() -> dict[str, Any]:
    """The rates of both shapes and the printed formula's, `[shape, ...]`: at every update, at the
    restarts and just before them; and one cycle beside the plain cosine."""
    rows = [shape_points(*shape) for shape in SHAPES]
    counts = np.arange(FIRST)
    one = jax.vmap(schedules.cosine_restarts(1.0, FIRST))(counts)
    plain = jax.vmap(schedules.cosine_decay(1.0, FIRST))(counts)
    stacked = {name: [row[name] for row in rows] for name in rows[0]}
    return {**stacked, "one cycle": np.max(np.abs(one - plain))}


def shape_points(multiplier: int, factor: float) -> dict[str, np.ndarray]:
    """The rates of one shape, and those of the formula in float64."""
    rate = jax.vmap(
        schedules.cosine_restarts(
            PEAK, FIRST, multiplier=multiplier, final=LOW, peak_factor=factor, final_factor=factor
        )
    )
    lengths = FIRST * multiplier ** np.arange(CYCLES)
    starts = np.append(0, np.cumsum(lengths))
    cycle = np.repeat(np.arange(CYCLES), lengths)
    high, low = (end * factor ** np.arange(CYCLES) for end in (PEAK, LOW))
    age = np.arange(starts[-1]) - starts[cycle]
    wave = 1 + np.cos(np.pi * age / lengths[cycle])
    return {
        "rates": np.asarray(rate(np.arange(starts[-1]))),
        "formula": low[cycle] + (high - low)[cycle] / 2 * wave,
        "at restarts": np.asarray(rate(starts[1:-1])) - high[1:],
        "at ends": np.asarray(rate(np.float32(starts[1:] - SHORT))) - low,
    }


def trained(config: Config) -> dict[str, Any]:
    """Errors in percent `[seed, epoch]` of both kinds, and of the ensemble of cycle ends."""
    sets = lab.split(config.data_set, config.limit, halve=False)
    model = models.MLP((config.hidden, 10))
    steps = len(sets.pool["label"]) // runs.BATCH
    once = schedules.cosine_decay(1.0, EPOCHS * steps)
    again = schedules.cosine_restarts(1.0, steps, multiplier=2)
    ends = np.asarray(jax.vmap(cycle_ends(1, multiplier=2))(jnp.arange(EPOCHS)))
    members = runs.last_of(ends, (ENSEMBLE,))

    def one(key: jax.Array, arm: Any, train: Any, *others: Any) -> dict[str, jax.Array]:
        def rate(count: jax.Array) -> jax.Array:
            return config.rate * jnp.where(arm["restarts"], again(count), once(count))

        def look(state: Any) -> list[jax.Array]:
            return [runs.logits(model, state.params, some) for some in others]

        ours = lab.trainer(model, optimizers.gradient_descent(rate))
        init_key, run_key = jax.random.split(key)
        first = lab.first_variables(model, init_key, train)
        _, scores = lab.train(
            ours, first, train, key=run_key, epochs=EPOCHS, batch=runs.BATCH, look=look
        )
        out = {
            name: runs.error(score, some["label"])
            for name, score, some in zip(("validation", "test"), scores, others, strict=True)
        }
        ensemble = runs.ensemble_errors(scores[1], others[1]["label"], members)[0]
        return {**out, "ensemble": ensemble}

    keys = jax.random.split(jax.random.key(0), config.seeds)
    out = lab.over(one, {"restarts": np.array([False, True])}, keys, sets[:3])
    return {
        "data_set": sets.name,
        "rate": config.rate,
        "cycle ends": 1 + np.flatnonzero(ends),
        **{kind: {name: values[i] for name, values in out.items()} for i, kind in enumerate(KINDS)},
    }


def anytime(validation: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Test errors of the best checkpoint so far by validation, all `[seed, epoch]`."""
    kept = np.zeros(validation.shape, int)
    for epoch in range(1, validation.shape[1]):
        before = np.take_along_axis(validation, kept[:, epoch - 1 : epoch], axis=1)[:, 0]
        kept[:, epoch] = np.where(validation[:, epoch] <= before, epoch, kept[:, epoch - 1])
    return np.take_along_axis(test, kept, axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The formula; the nets' errors are printed only."""
    points = results["schedule"]
    within = PLANS["C-054"].effects["distance over eta_max"]
    steps = [
        np.asarray(rates) - formula
        for rates, formula in zip(points["rates"], points["formula"], strict=True)
    ]
    parts = [
        tolerance(
            f"distance {what}, over eta_max",
            [exactly(distance / PEAK) for row in rows for distance in np.asarray(row)],
            within=within,
            panel="a",
        )
        for what, rows in (
            ("from eta_max at the restarts", points["at restarts"]),
            ("from eta_min at the cycles' ends", points["at ends"]),
            ("from the printed cosine", steps),
        )
    ]
    apart = float(points["one cycle"])
    return [
        all_of(
            "C-054",
            parts,
            gates=[
                Gate(
                    "one cycle", apart < within, f"it is at most {apart:.1g} from the plain cosine"
                )
            ],
            scope=f"cosine_restarts from {PEAK} to {LOW}, {CYCLES} cycles of {FIRST} updates or "
            "doubling from that, ends fixed or halved, float32",
            beside=use(results),
        )
    ]


def use(results: dict[str, Any]) -> list[str]:
    """What restarts did to the nets, in two sentences: the errors and the paired differences."""
    once, again = (results[kind] for kind in KINDS)
    early = [anytime(at["validation"], at["test"]).mean(axis=1) for at in (once, again)]
    last = once["test"][:, -1]
    lines = []
    for what, first, second in (
        ("anytime test error", *early),
        (f"test error at the end, ensemble of {ENSEMBLE} cycle ends", last, again["ensemble"]),
        ("test error at the end, last weights", last, again["test"][:, -1]),
    ):
        mean, low, high = interval(second - first)
        lines.append(
            f"{data_name(results['data_set'])}, {len(last)} seeds: {what} with restarts "
            f"{second.mean():.2f} %, with one cosine {first.mean():.2f} %, difference {mean:.2f} "
            f"[{low:.2f}, {high:.2f}]"
        )
    return lines


def draw(results: dict[str, Any]) -> Figure:
    """The schedule and the formula; test error after each epoch; the errors at the end."""
    fig, (rates, curves, end) = figure(1, 3, width=5.4, height=4.4)
    draw_schedule(rates, results["schedule"])
    columns = []
    for kind, colour in zip(KINDS, COLOURS, strict=False):
        at = results[kind]
        rows = np.array([interval(column) for column in at["test"].T])
        look = {"color": colour, "marker": "o", "markersize": "3"}
        band(
            curves,
            1 + np.arange(len(rows)),
            *rows.T,
            label=f"{kind}, from {results['rate']:g}",
            **look,
        )
        columns.append((f"{kind},\nlast", at["test"][:, -1], colour))
    columns.append((f"ensemble of {ENSEMBLE}\ncycle ends", at["ensemble"], COLOURS[2]))
    for cycle_end in results["cycle ends"][:-1]:
        curves.axvline(cycle_end, color="black", lw=1, ls=":")
    curves.set(xlabel="epoch (dotted: restarts)", ylabel="test error / %", xticks=(1, 3, 7, 15))
    name, seeds = data_name(results["data_set"]), len(columns[0][1])
    curves.set_title(f"{name}, mean and 95 % of {seeds} seeds")
    curves.legend()
    for place, (_, errors, colour) in enumerate(columns):
        mean, low, high = interval(errors)
        end.plot(np.full(len(errors), place - 0.12), errors, ".", color=colour, alpha=0.5)
        end.errorbar(place, mean, [[mean - low], [high - mean]], fmt="o", color=colour, capsize=4)
    end.set_xticks(range(len(columns)), [name for name, _, _ in columns])
    end.set(xlim=(-0.5, len(columns) - 0.5), ylabel="test error / %", title="at the end")
    return fig


def draw_schedule(axes: Axes, points: dict[str, Any]) -> None:
    """Both shapes, update by update, and a few of the formula's values."""
    labels = ("cycles double, ends fixed", "cycles equal, ends halved")
    for rates, formula, colour, label in zip(
        points["rates"], points["formula"], COLOURS[3:], labels, strict=False
    ):
        axes.plot(rates, color=colour, lw=1.4, label=label)
        some = np.arange(0, len(formula), 10)
        axes.plot(some, formula[some], ".", color="black", ms=4)
    axes.plot([], [], ".", color="black", label="the printed formula")
    axes.set(xlabel="update", ylabel="learning rate", ylim=(0, 0.72))
    axes.set_title("cosine cycles")
    axes.legend(loc="upper right")
