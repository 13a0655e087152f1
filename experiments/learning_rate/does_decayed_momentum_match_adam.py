"""Does decayed, tuned momentum match tuned Adam?

"SGD + Momentum with decay" ends slightly better than Adam but needs tuning (002:613-614, 004:277;
S-OPT-21). Every method gets the same 20 trials, ten rates from 1e-4 to 1 times a memory (rho, b1)
of 0.9 or 0.99, and is tested on fresh seeds with the trial of the least mean validation loss. Decay
is half a cosine to zero over the run; Adam goes without and with it. A 64-64-10 ReLU net on digits,
batches of 32. Metrics: test accuracy at the end, paired by seed; the share of the trials with at
most twice the best one's validation loss. No verdict: the claim C-040 is about convolutional nets.

Command: python -m experiments --only does_decayed_momentum_match_adam      (CPU, about 5 s)
Found: as far as 10 seeds can tell: 97.4 %, Adam 97.3 % and decayed Adam 97.5 %, the differences
within 0.6 points of zero. It needs more tuning: 10 % of its trials come within twice its best loss,
30 % of Adam's within twice Adam's. Which one ends better stays open.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Arm, Verdict, figure, interval, tune
from experiments.learning_rate import _small_mlp as mlp
from jaxtricks import data, optimizers, schedules

NON_FINITE = ("tuning",)

MEMORIES = (0.9, 0.99)
MOMENTUM, ADAM, DECAYED_ADAM = METHODS = ("momentum, decayed", "adam", "adam, decayed")


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: half the number of trials; `steps`: of every run, 36 an epoch."""

    methods: tuple[str, ...] = METHODS
    rates: int = 10
    steps: int = 1080
    seeds: int = 10
    tuning_seeds: int = 3


SMOKE = Config(methods=(MOMENTUM,), rates=3, steps=36, seeds=3, tuning_seeds=1)
FULL = Config(rates=20, steps=10_800, seeds=40, tuning_seeds=5)


def run(config: Config) -> dict[str, Any]:
    """The tuning's mean validation losses `[memory, rate]`, and the best trial's tests `[seed]`."""
    splits = data.load("digits", validation=0.2)
    fit, held_back, test = (mlp.examples(split) for split in splits)
    memory, rate = np.meshgrid(MEMORIES, np.geomspace(1e-4, 1, config.rates), indexing="ij")
    trials = np.float32(rate.ravel()), np.float32(memory.ravel())

    def arm(make: Callable) -> Arm:
        def end(key: jax.Array, trial: tuple[jax.Array, jax.Array]) -> mlp.Params:
            return mlp.train(make(*trial), key, fit, config.steps).params

        def tested(key: jax.Array, trial: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
            params = end(key, trial)
            return {"loss": mlp.loss(params, test), "accuracy": mlp.accuracy(params, test)}

        return Arm(lambda key, trial: mlp.loss(end(key, trial), held_back), trials, tested)

    arms = {name: arm(maker(name, config.steps)) for name in config.methods}
    seeds = {"tuning_seeds": config.tuning_seeds, "seeds": config.seeds}
    tuned = tune(jax.random.key(0), arms, **seeds).items()
    return {
        "data_set": "digits",
        "steps": config.steps,
        "rates": rate[0],
        "tuning": {name: found.tuning.mean(axis=1).reshape(rate.shape) for name, found in tuned},
        "best trial": {name: found.trial for name, found in tuned},
        "test": {name: found.tested for name, found in tuned},
    }


def maker(name: str, steps: int) -> Callable[..., optax.GradientTransformation]:
    """The method as a function of rate and memory."""
    rule = optimizers.momentum if name == MOMENTUM else optimizers.adam
    if name == ADAM:
        return rule
    return lambda rate, memory: rule(schedules.cosine_decay(rate, steps), memory)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """None: C-040, of which this is the small case, is about convolutional nets."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Validation loss of every trial, the trials in order, and the tested winners."""
    fig, (curves, order, tested) = figure(1, 3, width=4.4, height=3.5)
    for i, (name, losses) in enumerate(results["tuning"].items()):
        for row, memory, line in zip(losses, MEMORIES, ("-", "--"), strict=True):
            style = {"color": COLOURS[i], "linestyle": line, "marker": "o", "markersize": 3}
            curves.loglog(results["rates"], row, label=f"{name}, {memory:g}", **style)
        order.semilogy(np.arange(1, losses.size + 1), np.sort(losses, axis=None), color=COLOURS[i])
        mean, low, high = interval(100 * results["test"][name]["accuracy"])
        bars = [[mean - low], [high - mean]]
        tested.errorbar([i], [mean], bars, fmt="o", capsize=4, color=COLOURS[i])
    curves.set(xlabel="(first) rate", ylabel="validation loss / nats", ylim=(0.05, 20))
    curves.legend(title=r"method, memory ($\rho$, $\beta_1$)")
    order.set(xlabel="trials, best first", ylabel="validation loss / nats", ylim=(0.05, 20))
    order.set_xticks(np.linspace(0, 2 * len(results["rates"]), 3))
    order.set_title(f"digits, {results['steps']} steps")
    names = list(results["test"])
    tested.set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names])
    seeds = len(results["test"][MOMENTUM]["accuracy"])
    tested.set(ylabel="test accuracy / %", xlim=(-0.5, len(names) - 0.5))
    tested.set_title(f"best trials, mean and 95 %, {seeds} fresh seeds")
    return fig
