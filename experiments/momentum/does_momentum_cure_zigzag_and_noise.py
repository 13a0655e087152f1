"""Does momentum cure the zig-zag and the noise of stochastic gradient descent?

The lecture says so (002:243-257, 003:15, 004:173): smoother across the valley, sooner along it.
Valleys (w1^2 + kappa w2^2) / 2, float64. Zig-zag is the length of the way over the straight
distance, from random starts at distance 1 to where the gradient is under 1e-6 at two steps in a
row, at the rate (and rho) that need the fewest steps. Noise: the valley turned by 30 degrees with
gradient noise N(0, I), from (1, 1); the mean loss of the last 20 of 200 steps, at the settings that
make it least. Both rules have 81 trials in each of ten windows that close in on the best of other
seeds, and the choice is made again for 200 resamples of these. As a control, a round bowl without
noise must show no gain. E-85: 003:15 has momentum remedy that descent is fast across the valley, as
such; besides the zig-zag the largest step across is measured.

Command: python -m experiments --only does_momentum_cure_zigzag_and_noise      (CPU, about 20 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.engine import (
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    choice_variance,
    demonstration,
    draw_path,
    draw_surface,
    figure,
    interval,
    mean,
    method,
    paired,
    resamples,
    surface_grid,
)
from experiments.lab.scenes import DECAY, RATES, ROTATED_START, rotated_valley
from experiments.momentum._zigzag import NAMES, OCTAVES, in_theory, noisy_losses, tune, zigzags
from jaxtricks import optimizers, surfaces

FIGURES = ("F-024",)
CLAIMS = ("C-013",)
ERRATA = ("E-85",)
TIER = 2

METRICS = {
    "index": ("path length over distance", "b"),
    "loss": ("loss under noise", "c"),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """At each of `condition_numbers` there are `seeds` starts without noise, whose runs end where
    the gradient is under `tolerance`; and `noisy_seeds` runs of `noisy_steps` with gradient `noise`
    of that standard deviation. As many as `tuning_seeds` and `noisy_tuning_seeds` are to tune.

    The drawn paths have `path_steps` from `start` at `rate`; momentum's `decay` is in [0, 1).
    """

    condition_numbers: tuple[float, ...] = (10.0, 100.0, 1000.0)
    seeds: int = 20
    tuning_seeds: int = 10
    noisy_seeds: int = 400
    noisy_tuning_seeds: int = 100
    noisy_steps: int = 200
    path_steps: int = 200
    seed: int = 45_013
    noise: float = 1.0
    tolerance: float = 1e-6
    start: tuple[float, float] = ROTATED_START
    rate: float = RATES["momentum"]
    decay: float = DECAY


SMOKE = Config((10.0,), 5, 5, 5, 5, 60, 60)
FULL = Config((10.0, 30.0, 100.0, 300.0, 1000.0), 100, 30, 4000, 400)
PLANS = {
    "C-013": Plan(
        effects={"log10 index": 0.1, "log10 loss": 0.1},
        gates=("nest", "edge", "pos"),
        settings={"noise": Config.noise, "gradient": Config.tolerance, "octaves": OCTAVES,
                  "resamples": len(resamples(1))},
        revised="the first run ended at 1e-6 of the first gradient and the second found descent's "
        "rate only to a hundredth, which is not the number of the other zig-zags (R-31, R-34); in "
        "the first and third winners lay at an end of a window, which is now repeated (R-24)",
    )
}  # fmt: skip


def run(config: Config) -> dict[str, Any]:
    """Both metrics of both rules at each condition number, and for the control at 1."""
    kappas = (1.0, *config.condition_numbers)
    with jax.enable_x64(True):
        key = jax.random.key(config.seed)
        found = [at_kappa(kappa, key, config) for kappa in kappas]
        paths = {name: noisy_path(decay, key, config)
                 for name, decay in zip(NAMES, (0.0, config.decay), strict=True)}  # fmt: skip
    return {
        "grid": surface_grid(rotated_valley()),
        "paths": paths,
        "condition_numbers": kappas,
        "noisy_steps": config.noisy_steps,
        "rate": config.rate,
        "decay": config.decay,
        **{key: np.array([row[key] for row in found]) for key in found[0]},
    }


def noisy_path(decay: float, key: jax.Array, config: Config) -> jax.Array:
    """On the lecture's contour: shared start and rate, normal gradient noise."""
    noisy = surfaces.with_gradient_noise(rotated_valley(), config.noise**2)
    rule, start = optimizers.momentum(config.rate, decay=decay), jnp.array(config.start)
    return surfaces.trajectory(rule, noisy, start, config.path_steps, key=key).points


def at_kappa(kappa: float, key: jax.Array, config: Config) -> dict[str, Any]:
    """Tunes both rules for both metrics; `[rule, seed]`."""
    noise, limit = 0.0 if kappa == 1 else config.noise, int(20 * kappa + 200)
    sizes = (config.tuning_seeds, config.seeds, config.noisy_tuning_seeds, config.noisy_seeds)
    keys = [jax.random.split(k, n) for k, n in zip(jax.random.split(key, 4), sizes, strict=True)]
    runs = {
        "index": (*keys[:2], lambda grid, keys: zigzags(grid, keys, kappa, limit,
                                                        config.tolerance)),
        "loss": (*keys[2:], lambda grid, keys: noisy_losses(grid, keys, kappa, noise,
                                                            steps=config.noisy_steps)),
    }  # fmt: skip
    row: dict[str, Any] = {
        "index in theory": [
            zigzags(grid, keys[1], kappa, limit, config.tolerance)["index"][0].mean()
            for grid in in_theory(kappa).values()
        ]
    }
    for metric, (tuning, judged, run) in runs.items():
        tuned = plain, heavy = tune(OCTAVES[metric], run, tuning, judged, kappa)
        row |= {key: [arm.tested[key] for arm in tuned] for key in heavy.tested}
        row[f"{metric} variance"] = choice_variance(
            lambda a, b, metric=metric: a[metric] - b[metric], heavy, plain
        )
        row[f"{metric} settings"] = [arm.trial for arm in tuned]
        row[f"{metric} edges"] = sum(len(arm.at_edge) for arm in tuned)
    return row


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-013: both metrics at each condition number; E-85: the index falls, the steps do not."""
    kappas = results["condition_numbers"][1:]
    parts = [part(results, metric, i) for metric in METRICS for i in range(1, len(kappas) + 1)]
    index, steps, across = (results[key].mean(axis=2) for key in ("index", "steps", "across"))
    fewer, calmer = steps[1:, 1] < steps[1:, 0], index[1:, 1] < index[1:, 0]
    listed = ", ".join(f"{kappa:g}" for kappa in kappas)
    starts, noises = (results[metric].shape[2] for metric in METRICS)
    return [
        all_of(
            "C-013",
            parts,
            gates=gates(results),
            scope=f"quadratics of 2 weights, condition numbers {listed}, {starts} starts "
            f"without noise, {noises} runs of {results['noisy_steps']} updates with N(0, I); "
            "momentum against gradient descent, float64",
            beside=[beside(results, i) for i in range(1, len(kappas) + 1)],
        ),
        demonstration(
            "E-85",
            bool(fewer.all() and calmer.all() and (across[1:, 1] >= across[1:, 0]).all()),
            f"at condition number {kappas[-1]:g} momentum takes path over distance from "
            f"{10 ** index[-1, 0]:.3g} to {10 ** index[-1, 1]:.3g} and the steps from "
            f"{10 ** steps[-1, 0]:.0f} to {10 ** steps[-1, 1]:.0f}, yet its largest step across is "
            f"{across[-1, 1]:.2g} times the start's distance, not {across[-1, 0]:.2g}",
            panel="b",
        ),
    ]


def part(results: dict[str, Any], metric: str, i: int) -> Part:
    """One metric at one condition number, with the variance of the choice of settings."""
    text, panel = METRICS[metric]
    values = results[metric][i]
    found = mean(values[1] - values[0], choice_variance=float(results[f"{metric} variance"][i]))
    return paired(
        f"log10 of {text} at condition number {results['condition_numbers'][i]:g}, momentum's "
        "minus plain descent's",
        found,
        effect=PLANS["C-013"].effects[f"log10 {metric}"],
        claimed="down",
        panel=panel,
    )


def gates(results: dict[str, Any]) -> list[Gate]:
    """Choices resampled, no winner at an end, and no gain in a round bowl without noise."""
    variance = max(results[f"{metric} variance"].max() for metric in METRICS)
    ends = sum(results[f"{metric} edges"][1:].sum() for metric in METRICS)
    gain = max(np.abs(np.diff(results[metric][0], axis=0)).max() for metric in METRICS)
    round_index = 10 ** results["index"][0].max()
    return [
        Gate("nest", None, f"the choice adds a variance of at most {variance:.2g} to a mean"),
        Gate("edge", bool(ends == 0), f"{ends:.0f} winners at an end of their window"),
        Gate(
            "pos",
            bool(gain < min(PLANS["C-013"].effects.values())),
            f"a round bowl without noise has the index {round_index:.4f}, and momentum changes "
            f"log10 of it and of the loss by {gain:.1g} at most",
        ),
    ]


def beside(results: dict[str, Any], i: int) -> str:
    """Steps without noise, and the chosen settings."""
    steps = 10 ** results["steps"][i].mean(axis=1)
    theory = 10 ** results["index in theory"][i]
    rho = [1 - 2 ** results[f"{metric} settings"][i, 1, 1] for metric in METRICS]
    return (
        f"condition number {results['condition_numbers'][i]:g}: {steps[0]:.0f} steps without "
        f"momentum and {steps[1]:.0f} with it (rho = {rho[0]:.3f}); under noise its best rho is "
        f"{rho[1]:.3f}; at the settings with the least factor per step the index is "
        f"{theory[0]:.3g} without and {theory[1]:.3g} with momentum"
    )


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's contour, and both judged numbers against the condition number."""
    fig, (above, index, noisy) = figure(1, 3, width=5.8, height=4.6)
    paths = results["paths"]
    draw_surface(above, results["grid"], start=paths["momentum"][0], optimum=(0, 0),
                 logarithmic=True, bar=False)  # fmt: skip
    for name in NAMES[::-1]:
        draw_path(above, paths[name], name)
    above.set_title(rf"noisy, rate {results['rate']}, $\rho$ = {results['decay']}; yellow = lower")
    above.legend(loc="lower right", frameon=True)
    draw_metric(index, results, "index")
    theory = 10 ** results["index in theory"][1:, 1]
    index.plot(results["condition_numbers"][1:], theory, "k:", label="both, best factor per step")
    index.legend(loc="upper left")
    index.set(ylabel="path length / distance", title="zig-zag, each at its own best")
    draw_metric(noisy, results, "loss")
    noisy.set(ylabel=f"loss after {results['noisy_steps']} steps")
    noisy.set_title("noise, each at its own best")
    return fig


def draw_metric(axes: Axes, results: dict[str, Any], metric: str) -> None:
    """Geometric mean and interval over the seeds against the condition number."""
    kappa, values = results["condition_numbers"][1:], results[metric][1:]
    for rule, (name, shift) in enumerate(zip(NAMES, (0.95, 1.05), strict=True)):
        rows = 10 ** np.array([interval(row) for row in values[:, rule]])
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        axes.errorbar(shift * kappa, rows[:, 0], bars, marker="o", capsize=4, **method(name))
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(rf"condition number $\kappa$ (mean and 95 %, {values.shape[2]} seeds)")
    axes.legend(loc="upper left")
