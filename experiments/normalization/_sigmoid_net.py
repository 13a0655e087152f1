"""The batch-norm paper's MNIST network (004:495-506) on small images, with and without the norm."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np

from experiments.optimizers import _races as races
from jaxtricks import initializers, models, optimizers

PLAIN, NORMED = ARMS = ("without batch norm", "batch norm")
LOOKS = {PLAIN: {"color": "#D55E00", "label": PLAIN}, NORMED: {"color": "#0072B2", "label": NORMED}}


def network(arm: str, trial: Any, hidden: tuple[int, ...]) -> models.MLP:
    """Sigmoid layers from N(0, trial["std"]^2), or Xavier's if the trial has no deviation."""
    start = initializers.gaussian(std=trial["std"]) if "std" in trial else initializers.xavier()
    return models.MLP(
        (*hidden, 10), activation=nn.sigmoid, batch_norm=arm == NORMED, kernel_init=start
    )


def errors(
    arm: str,
    images: races.Images,
    trials: dict[str, np.ndarray],
    keys: jax.Array,
    *,
    hidden: tuple[int, ...],
    steps: int,
    marks: int,
) -> np.ndarray:
    """Test error in percent after each part of SGD at `rate` `[trial, seed, mark]`."""
    _, exam = races.racer(
        lambda trial: network(arm, trial, hidden),
        images,
        lambda trial: optimizers.gradient_descent(trial["rate"]),
        steps=steps,
        marks=marks,
    )
    over_keys = jax.vmap(exam, (0, None))
    found = jax.jit(jax.vmap(over_keys, (None, 0)))(keys, trials)
    return np.asarray(found["error"])


def steps_to(errors: np.ndarray, target: float, steps: int) -> np.ndarray:
    """Updates until the error is at most `target`, infinite if never; marks are the last axis."""
    marks = errors.shape[-1]
    reached = errors <= target
    first = np.argmax(reached, axis=-1)
    return np.where(reached.any(axis=-1), (first + 1) * (steps // marks), np.inf)
