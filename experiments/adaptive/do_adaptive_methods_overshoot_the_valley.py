"""Which of the five methods of the lecture's contour overshoot, and do all of them arrive?

The lecture's contours add one path at a time: gradient descent, momentum, Nesterov, then RMSProp
(002:426-436), then Adam (002:488-501). Shared valley, start and rates; none is tuned. Arrival:
the step after which the distance to the optimum stays under 0.1 (the start is 3.16 away).
Overshoot: how far past the optimum along the valley, as a share of the start's distance.

Command: python -m experiments --only do_adaptive_methods_overshoot_the_valley      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Verdict,
    draw_path,
    draw_surface,
    figure,
    surface_grid,
)
from experiments.lab.scenes import DECAY, RATES, VALLEY_START, rule, valley, weights
from jaxtricks import surfaces

FIGURES = ("F-031", "F-032")
METHODS = ("gradient descent", "momentum", "nesterov", "rmsprop", "adam", "adagrad")


@dataclasses.dataclass(frozen=True)
class Config:
    """All paths have `steps` updates from `start`, each method at its rate of `rates`.

    `decay` is the momentum of momentum and Nesterov, from 0 to under 1. A path has arrived once its
    distance from the optimum stays under `tolerance`.
    """

    steps: int = 400
    start: tuple[float, float] = VALLEY_START
    rates: tuple[tuple[str, float], ...] = tuple((name, RATES[name]) for name in METHODS)
    decay: float = DECAY
    tolerance: float = 0.1


SMOKE = Config(steps=150)
FULL = Config(steps=4000)


def run(config: Config) -> dict[str, Any]:
    """The paths from the shared start, and what they measure."""
    start, paths = jnp.array(config.start, float), {}
    for name, rate in config.rates:
        ours = rule(name, rate, decay=config.decay)
        points = surfaces.trajectory(ours, valley(), start, config.steps).points
        paths[name] = weights(name, points, decay=config.decay)
    distances = {name: np.linalg.norm(points, axis=1) for name, points in paths.items()}
    return {
        "grid": surface_grid(valley()),
        "paths": {name: points[:201] for name, points in paths.items()},
        "arrival": {name: arrival(distance, config) for name, distance in distances.items()},
        "overshoot": {name: overshoot(points[:, 0]) for name, points in paths.items()},
        "across": {name: overshoot(points[:, 1]) for name, points in paths.items()},
        "straightness": {name: path_ratio(points) for name, points in paths.items()},
        "steps": config.steps,
        "rates": dict(config.rates),
        "tolerance": config.tolerance,
    }


def arrival(distance: np.ndarray, config: Config) -> int:
    """First step from which the distance stays under the tolerance; one past the last if none."""
    outside = np.flatnonzero(distance >= config.tolerance)
    return int(outside[-1]) + 1


def overshoot(coordinate: np.ndarray) -> float:
    """Farthest value past 0, seen from the start, as a share of the start's."""
    return float(np.max(-coordinate / coordinate[0], initial=0.0))


def path_ratio(points: np.ndarray) -> float:
    """Length of the path over the straight distance from start to optimum."""
    length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    return float(length / np.linalg.norm(points[0]))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns figures only."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """RMSProp on the contour, then Adam too; overshoot and arrival."""
    fig, (rmsprop, adam, bars) = figure(1, 3, width=5.8, height=4.8)
    for axes, names in ((rmsprop, METHODS[:4]), (adam, METHODS[:5])):
        start = results["paths"][names[0]][0]
        draw_surface(axes, results["grid"], start=start, optimum=(0, 0), bar=False)
        for name in names:
            draw_path(axes, results["paths"][name], name)
        rate = results["rates"][names[-1]]
        axes.set_title(f"With {names[-1]} (rate {rate}); redder = lower loss")
        axes.legend(
            ncols=2, loc="lower right", fontsize=10, frameon=True, framealpha=0.8, edgecolor="none"
        )
    draw_bars(bars, results)
    return fig


def draw_bars(axes: Axes, results: dict[str, Any]) -> None:
    """Overshoot along and across the valley, with the step of arrival in the label."""
    rows = np.arange(len(METHODS))[::-1]
    along = [100 * results["overshoot"][name] for name in METHODS]
    across = [100 * results["across"][name] for name in METHODS]
    axes.barh(rows + 0.2, along, 0.36, color=COLOURS[0], label="along the valley")
    axes.barh(rows - 0.2, across, 0.36, color=COLOURS[4], label="across")
    for row, a, b in zip(rows, along, across, strict=True):
        axes.text(a + 1, row + 0.2, f"{a:.0f} %", va="center", fontsize=10)
        axes.text(b + 1, row - 0.2, f"{b:.0f} %", va="center", fontsize=10)
    labels = []
    for name in METHODS:
        step = results["arrival"][name]
        labels.append(f"{name}\n" + (f"at step {step}" if step <= results["steps"] else "never"))
    axes.set_yticks(rows, labels)
    axes.set(xlabel="overshoot, % of the start's distance", xlim=(0, 110))
    axes.set_title(f"Under the name: when it arrives, within {results['tolerance']}")
    axes.legend(loc="lower right")
