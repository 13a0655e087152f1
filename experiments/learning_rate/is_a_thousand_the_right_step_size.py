"""Is a step size of 1k or 10k right for step decay?

"Usually 1k or 10k", says the lecture (001:60) of `StepLR`, without the unit: read as iterations,
since its loop has 100 epochs. What is usual cannot be measured, so only this is: SGD whose rate is
divided by 10 every N iterations, from 0.1 (the lecture's) and from 1, on a 64-64-10 ReLU net on
digits, batches of 32, stopped at several budgets; metric: mean training loss of the epoch before
the stop. Confirmed if 1k or 10k (the better one, by the mean) beats every other N at every budget;
else undecided, because a rule of usage is not refuted by one net.

Command: python -m experiments --only is_a_thousand_the_right_step_size      (CPU, about 5 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, figure, interval
from experiments.engine.before import Verdict
from experiments.learning_rate import _small_mlp as mlp
from jaxtricks import data, optimizers, schedules

CLAIMS = ("C-051",)

FIRST_RATES = (0.1, 1.0)
LECTURES = (1000, 10_000)
EPOCH = 40


@dataclasses.dataclass(frozen=True)
class Config:
    """`step_sizes`: iterations from cut to cut; `budgets`: iterations at which runs are read."""

    step_sizes: tuple[int, ...] = (30, 100, 300, 1000, 3000, 10_000)
    budgets: tuple[int, ...] = (100, 300, 1000, 3000)
    seeds: int = 5


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

    def one(rate: jax.Array, fall: jax.Array, key: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(lambda count: rate * fall[count])
        losses = mlp.train(tx, key, fit, max(config.budgets)).losses
        sums = jnp.append(0.0, jnp.cumsum(losses))
        return (sums[ends] - sums[ends - EPOCH]) / EPOCH

    @jax.jit
    def train_all() -> jax.Array:
        counts = jnp.arange(max(config.budgets))
        falls = [
            jax.vmap(schedules.step_decay(1.0, size, factor=0.1))(counts)
            for size in config.step_sizes
        ]
        keys = jax.random.split(jax.random.key(0), config.seeds)
        over_sizes = jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None))
        over_both = jax.vmap(over_sizes, (0, None, None))
        return over_both(jnp.array(FIRST_RATES), jnp.stack(falls), keys)

    return {
        "data_set": "digits",
        "step_sizes": config.step_sizes,
        "budgets": config.budgets,
        "losses": train_all(),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the lecture's sizes win at every first rate and budget, else undecided."""
    sizes, losses = results["step_sizes"], results["losses"]
    lectures = np.isin(sizes, LECTURES)
    wins, best = [], []
    for rate, of_rate in zip(FIRST_RATES, losses, strict=True):
        means = of_rate.mean(axis=1)
        for b, budget in enumerate(results["budgets"]):
            others = np.where(lectures, np.inf, means[:, b]).argmin()
            ours = np.where(lectures, means[:, b], np.inf).argmin()
            wins.append(interval(of_rate[others, :, b] - of_rate[ours, :, b])[1] > 0)
            first = np.flatnonzero(means[:, b] <= 1.05 * means[:, b].min())
            best.append(f"{rate:g} and {budget} its.: {'/'.join(str(sizes[i]) for i in first)}")
    outcome = "confirmed" if all(wins) else "undecided"
    text = (
        f"1k or 10k iterations beat every other size in {sum(wins)} of {len(wins)} cases; sizes "
        f"within 5 % of the least loss, from rate {'; '.join(best)}"
    )
    return [Verdict("C-051", outcome, text, seeds=losses.shape[2])]


def draw(results: dict[str, Any]) -> Figure:
    """Loss against the step size, one curve a budget, one panel a first rate."""
    fig, panels = figure(1, 2, width=4.7, height=3.6, sharey=True)
    sizes = results["step_sizes"]
    for axes, rate, losses in zip(panels, FIRST_RATES, results["losses"], strict=True):
        for size in LECTURES:
            axes.axvline(size, color="#F0E442", lw=8, alpha=0.5, zorder=0)
        for b, budget in enumerate(results["budgets"]):
            rows = np.array([interval(row) for row in losses[:, :, b]])
            style = {"color": COLOURS[b], "marker": "osD^vX"[b], "label": f"{budget}"}
            band(axes, sizes, *rows.T, **style)
        axes.set(xscale="log", yscale="log", xlabel="step size / iterations")
        axes.set_title(f"from rate {rate:g}, divided by 10 at each cut")
    panels[0].set_ylabel("training loss at the stop / nats")
    panels[0].legend(title="stopped after / iterations", loc="lower left")
    seeds = results["losses"].shape[2]
    fig.suptitle(
        f"digits, mean and 95 % interval, {seeds} seeds; shaded: the lecture's 1k and 10k",
        fontsize=9,
    )
    return fig
