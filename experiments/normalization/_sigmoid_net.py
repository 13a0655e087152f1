"""The batch-norm paper's MNIST network (004:495-506) on small images, with and without the norm."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from experiments import races
from experiments.engine import COLOURS, repeat
from jaxtricks import initializers, models, optimizers

Exam = Callable[[dict[str, np.ndarray], jax.Array], np.ndarray]
PLAIN, NORMED = ARMS = ("without batch norm", "batch norm")
BLOCKS = {PLAIN: models.dense_block, NORMED: models.batch_norm_block}
LOOKS = {
    PLAIN: {"color": COLOURS[1], "label": PLAIN},
    NORMED: {"color": COLOURS[0], "label": NORMED},
}


def network(arm: str, trial: Any, *, hidden: tuple[int, ...]) -> models.MLP:
    """Sigmoid layers from Xavier's start, or from N(0, trial["std"]^2) if the trial has one."""
    start = initializers.gaussian(std=trial["std"]) if "std" in trial else initializers.xavier()
    return models.MLP((*hidden, 10), activation=nn.sigmoid, block=BLOCKS[arm], kernel_init=start)


def examiner(
    arm: str, images: races.Images, *, hidden: tuple[int, ...], steps: int, marks: int
) -> Exam:
    """Makes what trains by SGD at `trials["rate"]`, and gives `[trial, seed, mark]`: the test error
    in percent after each part. Compiled once for all trials of a kind."""
    race = races.racer(
        functools.partial(network, arm, hidden=hidden),
        images,
        lambda trial: optimizers.gradient_descent(trial["rate"]),
        steps=steps,
        marks=marks,
    )

    def errors(trials: dict[str, np.ndarray], keys: jax.Array) -> np.ndarray:
        rows = [dict(zip(trials, row, strict=True)) for row in zip(*trials.values(), strict=True)]
        return np.array([repeat(race, keys, trial)["error"] for trial in rows])

    return errors


def steps_to(errors: np.ndarray, target: float, steps: int) -> np.ndarray:
    """Updates until the error is at most `target`, infinite if never; marks are the last axis."""
    marks = errors.shape[-1]
    reached = errors <= target
    first = np.argmax(reached, axis=-1)
    return np.where(reached.any(axis=-1), (first + 1) * (steps // marks), np.inf)
