"""Do rare features get larger learning rates, and does that help them?

The lecture on AdaGrad (004:198-199): parameters that change often get a small rate, rare ones a
large one, so as to learn more from the few examples that have them. Linear regression on 50
features of equal size, present with probability 0.5 / j; four tasks: target noise 0.1 or 1, batches
of 10 or 100; 400 updates. AdaGrad and gradient descent each have the rate, of one grid and chosen
on other data, with the least error of the weights of the 10 rarest features. That error is the
metric, as log10, and so is the slope of log rate in log frequency, by the square-root law -1/2.

Command: python -m experiments --only do_rare_features_get_larger_rates      (CPU, about 10 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    figure,
    interval,
    mean,
    method,
    paired,
    part_of,
    resamples,
    tolerance,
)
from experiments.lab.scenes import rule
from jaxtricks.optimizers import effective_learning_rate
from jaxtricks.surfaces import least_squares, random_sparse_features

FIGURES = ("F-096",)
CLAIMS = ("C-031",)
TIER = 2
METHODS = ("gradient descent", "adagrad")


@dataclasses.dataclass(frozen=True)
class Config:
    """Each of `tasks` is the noise of the targets, as a standard deviation, and the batch size.

    Each seed's data are `examples` with `features`, of which the last `rarest` are judged. Both
    rules have `steps` updates at each of `rates` rates from `lowest` to `highest`.
    """

    seed: int = 35_031
    tuning_seed: int = 25_031
    seeds: int = 20
    tuning_seeds: int = 10
    examples: int = 2000
    steps: int = 400
    rates: int = 21
    lowest: float = 1e-3
    highest: float = 100.0
    features: int = 50
    rarest: int = 10
    tasks: tuple[tuple[float, int], ...] = ((0.1, 10), (0.1, 100), (1.0, 10), (1.0, 100))


SMOKE = Config(seeds=5, tuning_seeds=2, examples=200, steps=50, rates=5)
FULL = Config(seeds=100, tuning_seeds=50, rates=41)
PLANS = {
    "C-031": Plan(
        effects={"slope": 0.1, "log10 of the error": 0.05},
        gates=("equal sizes", "nest"),
        settings={
            "tasks (noise, batch)": Config.tasks,
            "features": Config.features,
            "rarest": Config.rarest,
            "nest": "rates chosen on tuning seeds by the judged error, inside the grid; "
            "the choice is resampled 200 times and its variance added",
        },
        revised="A first run left out the variance of the chosen rates; these seeds are new.",
    )
}


def run(config: Config) -> dict[str, Any]:
    """By method and task: the chosen rate, squared errors of the weights, effective rates."""
    found = {name: [compete(name, task, config) for task in config.tasks] for name in METHODS}
    frequencies = 0.5 / np.arange(1, config.features + 1)

    def every(key: str) -> dict[str, np.ndarray]:
        return {name: np.array([row[key] for row in rows]) for name, rows in found.items()}

    effective = every("effective")["adagrad"]
    return {
        "rates": every("rate"),
        "edge": every("edge"),
        "errors": every("errors"),
        "resampled": every("resampled"),
        "slopes": np.array([[slope(frequencies, row) for row in task] for task in effective]),
        "relative": effective / effective[..., :1],
        "sizes": found["adagrad"][0]["sizes"],
        "tasks": config.tasks,
        "frequencies": frequencies,
        "rarest": config.rarest,
        "examples": config.examples,
        "updates": config.steps,
    }


def compete(name: str, task: tuple[float, int], config: Config) -> dict[str, Any]:
    """Chooses the rate on the tuning seeds, and runs it on the judged ones."""
    low, high = np.log10(config.lowest), np.log10(config.highest)
    grid = np.logspace(low, high, config.rates, dtype=np.float32)
    compiled = jax.jit(race, static_argnums=(0, 3, 4, 5))
    tuning = compiled(name, grid, config.tuning_seed, config.tuning_seeds, task, config)[0]
    scores = np.log10(rare(np.asarray(tuning), config.rarest))
    best = int(np.argmin(scores.mean(axis=1)))
    again = [int(np.argmin(scores[:, draw].mean(axis=1))) for draw in resamples(scores.shape[1])]
    judged = compiled(name, grid, config.seed, config.seeds, task, config)
    errors, squares = np.asarray(judged[0]), np.asarray(judged[1])
    return {
        "rate": grid[best],
        "edge": best in (0, config.rates - 1),
        "errors": errors[best],
        "resampled": np.log10(rare(errors, config.rarest)).mean(axis=1)[again],
        "effective": np.asarray(effective_learning_rate(grid[best], squares[best])),
        "sizes": np.asarray(judged[2]),
    }


def rare(errors: np.ndarray, rarest: int) -> np.ndarray:
    """Mean squared error of the rarest features' weights."""
    return errors[..., -rarest:].mean(axis=-1)


def slope(frequencies: np.ndarray, effective: np.ndarray) -> float:
    """Of log effective rate in log frequency."""
    return float(np.polyfit(np.log(frequencies), np.log(effective), 1)[0])


def race(
    name: str, rates: jax.Array, seed: int, seeds: int, task: tuple[float, int], config: Config
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Squared errors and sums of squared gradients by [rate, seed], sizes of the features."""
    noise, batch = task

    def one(rate: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        data_key, batch_key = jax.random.split(key)
        data = random_sparse_features(data_key, config.examples, config.features, noise=noise)
        shape = (config.steps, batch)
        batches = jax.random.randint(batch_key, shape, 0, config.examples)
        tx = rule(name, rate)

        def body(carry: Any, batch: jax.Array) -> Any:
            weights, state, squares = carry
            surface = least_squares(data.inputs[batch], data.targets[batch])
            gradient = jax.grad(surface.loss)(weights)
            updates, state = tx.update(gradient, state)
            return (optax.apply_updates(weights, updates), state, squares + gradient**2), None

        zero = jnp.zeros(config.features)
        (weights, _, squares), _ = jax.lax.scan(body, (zero, tx.init(zero), zero), batches)
        error = jnp.nan_to_num((weights - data.weights) ** 2, nan=1e30)
        return jnp.minimum(error, 1e30), squares

    keys = jax.random.split(jax.random.key(seed), seeds)
    errors, squares = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(rates, keys)
    sizes = random_sparse_features(keys[0], config.examples, config.features).inputs.max(axis=0)
    return errors, squares, sizes


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-031: the law in all tasks, the gain in one of them."""
    effects = PLANS["C-031"].effects
    gains = [
        paired(
            f"log10 of AdaGrad's error over gradient descent's, {text(task)}",
            estimate,
            effect=effects["log10 of the error"],
            claimed="down",
            panel="c",
        )
        for task, estimate in zip(results["tasks"], ratios(results), strict=True)
    ]
    law = tolerance(
        "slope of log rate in log frequency",
        [mean(row) for row in results["slopes"]],
        within=effects["slope"],
        target=-0.5,
        panel="a",
    )
    edges = [name for name in METHODS if results["edge"][name].any()]
    return [
        all_of(
            "C-031",
            [law, part_of(gains, "any")],
            scope=f"linear regression on {len(results['frequencies'])} features, "
            f"{results['examples']} examples, {results['updates']} updates, float32",
            gates=[
                Gate(
                    "equal sizes",
                    bool((results["sizes"][results["sizes"] > 0] == 1).all()),
                    "every feature that is present is 1",
                ),
                Gate(
                    "nest",
                    not edges,
                    "rates chosen on seeds that are not judged, at an end of the grid: "
                    f"{', '.join(edges) or 'none'}",
                ),
            ],
            beside=[
                f"{gain.text}: {gain.estimate:.2f} [{gain.low:.2f}, {gain.high:.2f}]; slope "
                f"{results['slopes'][i].mean():.3f}; tuned rates "
                + ", ".join(f"{name} {results['rates'][name][i]:.3g}" for name in METHODS)
                for i, gain in enumerate(gains)
            ],
        )
    ]


def ratios(results: dict[str, Any]) -> list[Estimate]:
    """log10 of the rare weights' error with AdaGrad over gradient descent's, by task."""
    errors = {name: np.log10(rare(results["errors"][name], results["rarest"])) for name in METHODS}
    again = results["resampled"]
    spread = np.var(again["adagrad"] - again["gradient descent"], axis=1)
    difference = errors["adagrad"] - errors["gradient descent"]
    return [
        mean(row, choice_variance=float(variance))
        for row, variance in zip(difference, spread, strict=True)
    ]


def text(task: tuple[float, int]) -> str:
    """The task in words."""
    return f"noise {task[0]:g}, batch {task[1]:g}"


def draw(results: dict[str, Any]) -> Figure:
    """Rates by frequency in all tasks; errors by frequency in the first; the ratio of errors."""
    fig, (ratio, error, gain) = figure(1, 3, width=5.0, height=4.6)
    frequencies = results["frequencies"]
    for i, task in enumerate(results["tasks"]):
        values = np.array([interval(column) for column in results["relative"][i].T]).T
        band(ratio, frequencies, *values, color=COLOURS[i], label=text(task))
    law = np.sqrt(frequencies[0] / frequencies)
    ratio.plot(frequencies, law, "k:", label=r"law $f^{-1/2}$")
    ratio.set(xscale="log", yscale="log", xlabel="frequency of the feature")
    ratio.set_ylabel("effective rate / that of feature 1")
    ratio.set_title(f"AdaGrad's rates ({results['slopes'].shape[1]} seeds, mean and 95 %)")
    ratio.legend()
    ratio.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    for axes in (ratio, error):
        axes.set_xscale("log")
        axes.set_xticks(
            [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]
        )
        axes.minorticks_off()
    draw_errors(error, results)
    draw_gains(gain, results)
    return fig


def draw_errors(axes: Axes, results: dict[str, Any]) -> None:
    """Geometric means over the seeds, in the first task."""
    frequencies, rarest = results["frequencies"], results["rarest"]
    for name in METHODS:
        logs = np.log10(results["errors"][name][0])
        values = 10 ** np.array([interval(column) for column in logs.T]).T
        label = f"{name}, tuned rate {results['rates'][name][0]:.3g}"
        band(axes, frequencies, *values, **(method(name) | {"label": label}))
    axes.axvspan(frequencies[-1], frequencies[-rarest], color="grey", alpha=0.15, lw=0)
    axes.set(yscale="log", ylim=(4e-6, None))
    axes.set_xlabel(f"frequency of the feature (grey: rarest {rarest})")
    axes.set_ylabel("squared error of its weight")
    axes.set_title(f"{text(results['tasks'][0])} (mean and 95 %)")
    axes.legend(loc="lower left")


def draw_gains(axes: Axes, results: dict[str, Any]) -> None:
    """AdaGrad's error of the rarest weights over gradient descent's, by task."""
    rows = np.arange(len(results["tasks"]))[::-1]
    for row, found, colour in zip(rows, ratios(results), COLOURS, strict=False):
        centre, low, high = 10 ** np.array([found.value, found.low, found.high])
        axes.plot([low, high], [row, row], color=colour, linewidth=3)
        axes.plot(centre, row, "o", color=colour, markersize=8)
    axes.axvline(1, color="black", linestyle=":", linewidth=1)
    axes.set_yticks(rows, [text(task).replace(", ", "\n") for task in results["tasks"]])
    axes.set(xscale="log", xlabel="error with AdaGrad / with gradient descent", ylim=(-0.5, 3.5))
    axes.set_xticks([0.8, 1, 1.2, 1.5, 2], ["0.8", "1", "1.2", "1.5", "2"])
    axes.minorticks_off()
    axes.set_title(f"The rarest {results['rarest']} features' weights, 95 %")
