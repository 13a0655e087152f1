"""Is a step size of 1k or 10k right for step decay?

"Usually 1k or 10k", says the lecture (001:60) of `StepLR`, without the unit: a report of usage,
which no run can judge. Printed besides, with the size read as iterations: SGD whose rate is divided
by 10 every N iterations, from 0.1 (the lecture's) and from 1, on a 64-64-10 ReLU net on digits,
batches of 32, stopped at several budgets; the number is the mean training loss of the epoch before
the stop.

Command: python -m experiments --only is_a_thousand_the_right_step_size      (CPU, about 5 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Plan,
    Verdict,
    band,
    data_name,
    figure,
    interval,
    not_testable,
)
from experiments.lab import small_mlp as mlp
from jaxtricks import data, optimizers, schedules

CLAIMS = ("C-051",)
TIER = 2
PLANS = {"C-051": Plan()}

LECTURES = (1000, 10_000)


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: two first rates; `factor`: of every cut; `step_sizes`: iterations from cut to cut.

    `budgets`: iterations at which runs are read, by the mean over the last `window` of them, at
    most the least budget. `hidden`: units of every hidden layer.
    """

    rates: tuple[float, float] = (0.1, 1.0)
    factor: float = 0.1
    window: int = 40
    hidden: tuple[int, ...] = (64,)
    step_sizes: tuple[int, ...] = (30, 100, 300, 1000, 3000, 10_000)
    budgets: tuple[int, ...] = (100, 300, 1000, 3000)
    seeds: int = 5
    seed: int = 15_051


SMOKE = Config(step_sizes=(100, 1000, 10_000), budgets=(100, 300), seeds=2)
FULL = Config(
    step_sizes=(30, 100, 300, 1000, 3000, 10_000, 30_000),
    budgets=(100, 300, 1000, 3000, 10_000, 30_000),
    seeds=10,
)


def run(config: Config) -> dict[str, Any]:
    """Losses [first rate, step size, seed, budget]: one training serves all budgets."""
    fit = mlp.examples(data.load("digits").train)
    ends = np.array(config.budgets)
    sizes = (fit.x.shape[1], *config.hidden, 10)

    def one(rate: jax.Array, fall: jax.Array, key: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(lambda count: rate * fall[count])
        losses = mlp.train(tx, key, fit, max(config.budgets), sizes=sizes).losses
        sums = jnp.append(0.0, jnp.cumsum(losses))
        return (sums[ends] - sums[ends - config.window]) / config.window

    @jax.jit
    def train_all() -> jax.Array:
        counts = jnp.arange(max(config.budgets))
        falls = [
            jax.vmap(schedules.step_decay(1.0, size, factor=config.factor))(counts)
            for size in config.step_sizes
        ]
        keys = jax.random.split(jax.random.key(config.seed), config.seeds)
        over_sizes = jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None))
        over_both = jax.vmap(over_sizes, (0, None, None))
        return over_both(jnp.array(config.rates), jnp.stack(falls), keys)

    return {
        "data_set": "digits",
        "rates": config.rates,
        "factor": config.factor,
        "step_sizes": config.step_sizes,
        "budgets": config.budgets,
        "losses": train_all(),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """A report of usage without a unit is not judged; the best sizes are printed."""
    sizes, beside = results["step_sizes"], []
    for rate, losses in zip(results["rates"], results["losses"], strict=True):
        for budget, means in zip(results["budgets"], losses.mean(axis=1).T, strict=True):
            near = [f"{size:,}" for size in sizes[means <= 1.05 * means.min()]]
            beside.append(
                f"from rate {rate:g}, stopped after {budget:,} iterations: the loss is within 5 % "
                f"of the least at step size {', '.join(near)}"
            )
    reason = "a report of usage, without a unit; losses against the step size are printed"
    return [not_testable("C-051", reason, beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Loss against the step size, one curve a budget, one panel a first rate."""
    fig, panels = figure(1, 2, width=5.6, height=4.4, sharey=True)
    sizes, seeds = results["step_sizes"], results["losses"].shape[2]
    for axes, losses in zip(panels, results["losses"], strict=True):
        for size in LECTURES:
            axes.axvline(size, color="grey", lw=8, alpha=0.25, zorder=0)
        for b, budget in enumerate(results["budgets"]):
            rows = np.array([interval(row) for row in losses[:, :, b]])
            style = {"color": COLOURS[b], "marker": "osD^vX"[b], "label": f"{budget:,}"}
            band(axes, sizes, *rows.T, **style)
        axes.set(xscale="log", yscale="log", xlabel="step size / iterations (grey: the lecture's)")
        ticks = (30, 100, 300, 1000, 3000, 10_000)
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
    rate, other = results["rates"]
    panels[0].set_title(f"from rate {rate:g}, divided by {1 / results['factor']:g} at each cut")
    panels[1].set_title(f"from rate {other:g}; mean and 95 % of {seeds} seeds")
    panels[0].set_ylabel(f"training loss at the stop / nats, {data_name(results['data_set'])}")
    panels[0].legend(title="stopped after / iterations", loc="lower left")
    return fig
