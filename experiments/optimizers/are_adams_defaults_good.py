"""Are Adam's defaults good?

002:478-480 and 004:251: beta_1 = 0.9, beta_2 = 0.999 and a rate of 1e-3 or 5e-4. On five small
tasks (see `_tasks.py`), batches of 32, the test error of Adam as the notes have it, with each rate,
minus that of a tuned Adam: the best by held-back error of 20 trials, whose rate is random over
3e-5 to 3e-2, 1 - beta_1 over 0.01 to 0.5 and 1 - beta_2 over 3e-4 to 0.1, all as logarithms. The
defaults are among no trials. C-038: a default is good if it loses less than one point of accuracy,
averaged over the tasks; 3 fresh seeds, 1 minus the mean regret claimed positive, for both rates.

Command: python -m experiments --only are_adams_defaults_good      (CPU, about N s)
Found: not run yet.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Arm, Verdict, combine, figure, interval, paired, tune
from experiments.optimizers._races import racer
from experiments.optimizers._tasks import tasks
from jaxtricks import optimizers

CLAIMS = ("C-038",)

RATES = (1e-3, 5e-4)
GOOD = 1.0  # points of accuracy


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images of a task; `width`: of its layers; `seeds`, and others to tune."""

    names: tuple[str, ...] = ("linear", "mlp", "deep", "batch norm", "cnn")
    count: int = 2500
    width: int = 64
    steps: int = 400
    trials: int = 20
    tuning_seeds: int = 2
    seeds: int = 3


SMOKE = Config(("linear",), 100, width=8, steps=20, trials=2, tuning_seeds=1, seeds=2)
FULL = Config(count=50_000, width=256, steps=10_000, tuning_seeds=3, seeds=5)


def adam(trial: np.ndarray) -> optax.GradientTransformation:
    """Of `(rate, beta_1, beta_2)`."""
    return optimizers.adam(trial[0], trial[1], trial[2])


def draws(trials: int) -> np.ndarray:
    """Random `(rate, beta_1, beta_2)`, one a row."""
    u = np.random.default_rng(0).random((3, trials))
    rows = (3e-5 * 1000 ** u[0], 1 - 0.01 * 50 ** u[1], 1 - 3e-4 * 333 ** u[2])
    return np.stack(rows, axis=1).astype(np.float32)


def run(config: Config) -> dict[str, Any]:
    """Per task: errors in percent `[trial, tuning seed]`, and of the tests `[arm, seed]`."""
    results: dict[str, Any] = {"sets": {}, "tuning": {}, "best": {}, "error": {}}
    trials = draws(config.trials)
    for name, (model, images) in tasks(config.names, config.count, config.width).items():
        score, exam = racer(model, images, adam, steps=config.steps, marks=1)
        keys = {"tuning_seeds": config.tuning_seeds, "seeds": config.seeds}
        found = tune(jax.random.key(0), {"adam": Arm(score, trials, exam)}, **keys)["adam"]
        fresh = jax.random.split(jax.random.key(0), config.seeds + config.tuning_seeds)
        fixed = np.array([(rate, 0.9, 0.999) for rate in RATES], np.float32)
        results["sets"][name] = images.name
        results["tuning"][name], results["best"][name] = found.tuning, found.trial
    return results
