"""Is zig-zag caused by features of different scales?

The lecture (004:169-171) says that descent zig-zags where the gradients of the weights differ much
in range, and that this usually comes from features in different units. Twelve real tables come with
scikit-learn. On each the loss of linear regression is descended, with the features in the table's
units, centred, and standardised (each with an intercept; the target standardised; the start at 0).
A weight's range is the root mean square of its gradients by single examples at the start, and the
log range is how many powers of ten lie between the largest and the smallest. How much of the way is
a detour is the length of the path over the straight distance, from the start to a millionth of the
excess loss or for 100,000 steps, at the best rate 2 / (h_min + h_max) of the curvatures that are
not 0. A table is counted if standardising halves both numbers.

Command: python -m experiments --only do_unscaled_features_cause_zigzag      (CPU, about 15 s)
"""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    exactly,
    figure,
    usually,
)
from experiments.lab.tables import TABLES, read_table
from jaxtricks.data import standardize

CLAIMS = ("C-025",)
PLANS = {
    "C-025": Plan(
        effects={"halvings": 1.0, "control": 1e-9},
        gates=("conv", "pos"),
        settings={
            "start": 0.0,
            "rate": "2 / (h_min + h_max)",
            "tables": "whole tables of scikit-learn and of its tests of OpenML; columns of numbers "
            "or of two values that are not constant",
        },
    )
}
FORMS = ("raw", "centred", "standardised")
RAW, CENTRED, STANDARDISED = range(3)
PICTURED, PAIR = "wine", (0, 12)  # alcohol in percent by volume, proline in mg / l


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: at most; `left`: share of the excess loss at which a path ends.

    Curvatures under `cut` times the largest count as zero; `pictured`: steps of the drawn paths.
    """

    tables: tuple[str, ...] = TABLES
    steps: int = 100_000
    left: float = 1e-6
    cut: float = 1e-13
    pictured: int = 40


SMOKE = Config(steps=500)
FULL = Config(steps=10_000_000)


def forms_of(inputs: np.ndarray) -> np.ndarray:
    """The table raw, centred and standardised, each with a column of ones."""
    scale = standardize(inputs)
    three = np.stack([inputs, inputs - np.asarray(scale.mean), scale.apply(inputs)])
    return np.concatenate([np.ones_like(three[..., :1]), three], axis=-1)


def run(config: Config) -> dict[str, Any]:
    """Log ranges and detours `[form]` of each table and of the control; two weights' paths."""
    tables = {name: measure(*read_table(name), config) for name in config.tables}
    return {
        "tables": tables,
        "control": measure(*equal_ranges(), config),
        "paths": {FORMS[form]: two_weights(form, config) for form in (CENTRED, STANDARDISED)},
        "steps": config.steps,
        "left": config.left,
        "data_set": "scikit-learn's tables",
    }


def equal_ranges() -> tuple[np.ndarray, np.ndarray]:
    """All 8 combinations of three features of -1 and 1: a round bowl with equal ranges."""
    inputs = np.stack(np.meshgrid(*3 * [[-1.0, 1.0]]), axis=-1).reshape(-1, 3)
    target = inputs @ np.array([3.0, 2.0, 1.0])
    return inputs, target / target.std()


def measure(inputs: np.ndarray, target: np.ndarray, config: Config) -> dict[str, Any]:
    """One table in its three forms; the detour also for twice as many steps at most."""
    forms = forms_of(inputs)
    ranges = np.sqrt(np.mean((target[:, None] * forms) ** 2, axis=1))  # the residual is the target
    rows = [detour(form, target, config) for form in forms]
    index, index_of_twice, steps, conditions = map(np.array, zip(*rows, strict=True))
    return {
        "log range": np.log10(ranges.max(axis=1) / ranges.min(axis=1)),
        "index": index,
        "index of twice": index_of_twice,
        "steps": steps,
        "conditions": conditions,
        "size": np.array(inputs.shape),
    }


def detour(form: np.ndarray, target: np.ndarray, config: Config) -> tuple[float, ...]:
    """Path length over distance, the same with twice the steps at most, steps, condition number.

    In the eigenvectors' coordinates, where step t is (r - 1) r^t times the first error and r is
    1 - rate x curvature.
    """
    left, singular, _ = np.linalg.svd(form / np.sqrt(len(form)), full_matrices=False)
    curved = singular**2 > config.cut * singular[0] ** 2
    h = singular[curved] ** 2
    error = -(left[:, curved].T @ target) / np.sqrt(len(form)) / singular[curved]
    r = 1 - 2 / (h[0] + h[-1]) * h
    first, length, taken, index, steps = np.sum(h * error**2), 0.0, 0, [], []
    for limit in (config.steps, 2 * config.steps):
        while taken < limit:
            times = np.arange(taken, min(taken + 1000, limit))
            errors = error * r ** times[:, None]
            going = errors**2 @ h > config.left * first
            length += np.sum(np.linalg.norm((r - 1) * errors[going], axis=1))
            taken += int(going.sum())
            if not going.all():
                break
        index.append(length / np.linalg.norm(error * r**taken - error))
        steps.append(taken)
    return *index, steps[0], h[0] / h[-1]


def two_weights(form: int, config: Config) -> np.ndarray:
    """Path of the weights of two features of one table, over those of the optimum."""
    inputs, target = read_table(PICTURED)
    two = forms_of(inputs[:, PAIR])[form][:, 1:]
    hessian = two.T @ two / len(two)
    curvatures = np.linalg.eigvalsh(hessian)
    optimum = np.linalg.lstsq(two, target)[0]
    path = [np.zeros(2)]
    for _ in range(config.pictured):
        path.append(path[-1] - 2 / curvatures.sum() * hessian @ (path[-1] - optimum))
    return np.array(path) / optimum


def halvings(results: dict[str, Any], key: str, form: int = STANDARDISED) -> np.ndarray:
    """How often the number of each table is halved from its raw form to another."""
    values = np.array([table[key] for table in results["tables"].values()])
    return np.log2(values[:, RAW] / values[:, form])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Usual if the exact interval of the share of tables lies above a half, for both numbers."""
    plan, tables = PLANS["C-025"], results["tables"]
    effect = plan.effects["halvings"]
    parts = [
        usually(
            f"log2 of {what}, raw over standardised,",
            [exactly(value) for value in halvings(results, key)],
            effect=effect,
            claimed="up",
            panel=panel,
        )
        for what, key, panel in (
            ("the gradients' log range", "log range", "b"),
            ("path length over distance", "index", "c"),
        )
    ]
    steps = np.array([table["steps"] for table in tables.values()])
    changed = (halvings(results, "index") >= effect) != (
        halvings(results, "index of twice") >= effect
    )
    open_ = np.sum(steps >= results["steps"], axis=0)
    converged = Gate(
        "conv",
        not changed.any(),
        f"with twice the steps {changed.sum()} of {len(tables)} tables change sides (the limit "
        f"ends {open_[RAW]} raw and {open_[STANDARDISED]} standardised paths)",
    )
    control, within = results["control"], plan.effects["control"]
    off = max(np.abs(control["log range"]).max(), np.abs(control["index"] - 1).max())
    round_bowl = Gate(
        "pos",
        off < within,
        f"features of -1 and 1 have log range {control['log range'].max():.2g} and index "
        f"{control['index'].max():.6f} in every form",
    )
    centred = [np.sum(halvings(results, key, CENTRED) >= effect) for key in ("log range", "index")]
    rows = [np.prod(table["size"]) for table in tables.values()]
    return [
        all_of(
            "C-025",
            parts,
            gates=[converged, round_bowl],
            scope=f"linear regression on the {len(tables)} whole tables that come with "
            f"scikit-learn ({min(rows)} to {max(rows)} numbers), full batch from 0 at the best "
            f"rate, at most {results['steps']} updates, float64",
            beside=[
                f"centring alone halves the log range of {centred[0]} tables and the path of "
                f"{centred[1]}",
                *(
                    f"{name} ({table['size'][0]} rows, {table['size'][1]} features): log range "
                    f"{table['log range'][RAW]:.2g} to {table['log range'][STANDARDISED]:.2g}, "
                    f"index {table['index'][RAW]:.3g} to {table['index'][STANDARDISED]:.3g}, "
                    f"condition number {table['conditions'][RAW]:.2g} to "
                    f"{table['conditions'][STANDARDISED]:.2g}"
                    for name, table in tables.items()
                ),
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Two weights' paths before and after, and both numbers of every table."""
    fig, (paths, ranges, detours) = figure(1, 3, width=5.4, height=5.0)
    for (form, path), colour in zip(results["paths"].items(), COLOURS[1::-1], strict=True):
        label = "in the table's units, centred" if form == FORMS[CENTRED] else form
        paths.plot(*path.T, ".-", color=colour, ms=5, lw=1.2, label=label)
    paths.plot(1, 1, "*", color="black", ms=13, label="optimum")
    paths.set(xlabel="weight of alcohol / its optimum", ylabel="weight of proline / its optimum")
    paths.set_ylim(-0.1, 2.6)
    paths.set_title(f"wine, two features: {len(path) - 1} steps from (0, 0)")
    paths.legend(loc="upper center")
    draw_pairs(ranges, results, "log range")
    ranges.set(xlabel="log range of the gradients / powers of ten")
    ranges.set_title("how unequal the gradients are")
    draw_pairs(detours, results, "index")
    detours.set(xscale="log", xlabel="path length / straight distance")
    detours.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1,000", "10,000"])
    detours.set_title("how long the detour is")
    return fig


def draw_pairs(axes: Axes, results: dict[str, Any], key: str) -> None:
    """A line a table, from its raw form to the standardised one; and half of the raw number."""
    names = list(results["tables"])[::-1]
    values = np.array([results["tables"][name][key] for name in names])
    places = np.arange(len(names))
    axes.hlines(places, values[:, RAW], values[:, STANDARDISED], color="grey", lw=1)
    axes.plot(values[:, RAW] / 2, places, "|", color="black", ms=11, mew=1.5, label="half of raw")
    for form, colour, marker in ((RAW, COLOURS[1], "o"), (STANDARDISED, COLOURS[0], "D")):
        axes.plot(values[:, form], places, marker, color=colour, label=FORMS[form])
    axes.set_yticks(places, names)
    axes.set_ylim(-0.7, len(names) + 1.4)
    axes.legend(loc="upper right", ncols=3, columnspacing=0.8, handletextpad=0.2)
