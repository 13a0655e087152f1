"""A check of the loss before the first update against the chance level."""

import math
from typing import Literal, NamedTuple

import jax
from jaxtyping import Array, Key

from jaxtricks._checks import check_functions, check_instance, check_integer, check_key, check_range
from jaxtricks._own_state import check_own_state
from jaxtricks._types import ScalarLike
from jaxtricks.data import count_examples
from jaxtricks.training import Trainer, TrainState

ADVICE = {
    "as expected": "Next, check whether the model can memorise a few examples (check_overfit).",
    "too high": "The logits differ too much before training: make the weights of the last layer "
    "smaller, or the inputs.",
    "too low": "The loss is lower than an untrained model can reach: look for labels among the "
    "inputs, a loss that is averaged twice, and data with fewer classes.",
    "not finite": "Look for labels that are not from 0 to C - 1, for NaN in the inputs, for the "
    "logarithm of 0 and for division by 0.",
}


class InitialLoss(NamedTuple):
    """The result of `check_initial_loss`.

    Attributes:
        verdict: how the loss compares with the expected value.
        loss: mean cross-entropy before the first update, without the trainer's penalty.
        expected: the expected loss, the logarithm of the number of classes.
        penalty: the value of the trainer's penalty, such as an L2 penalty; 0 if it has none.
        advice: what to do next, in one sentence.
    """

    verdict: Literal["as expected", "too high", "too low", "not finite"]
    loss: float
    expected: float
    penalty: float
    advice: str


def check_initial_loss(
    trainer: Trainer,
    state: TrainState,
    batch: dict[str, Array],
    *,
    key: Key[Array, ""],
    classes: int,
    tolerance: ScalarLike = 0.5,
) -> InitialLoss:
    r"""Compares the loss before the first update with the chance level $\ln C$.

    A model that gives each of $C$ classes the same probability has the mean cross-entropy $\ln C$.
    Logits that are normally distributed with variance $v$, independently of the labels, increase it
    by about $v/2$; the tolerance is thus half the allowed variance.

    The model runs in training mode, so dropout is active and batch norm normalises by the batch.
    The state is not changed.

    Args:
        trainer: from `training.trainer`. A penalty may be included; it is reported apart.
        state: the state before the first update, from `trainer.init`.
        batch: a dict of arrays whose first axis is the example. A few hundred examples are enough;
            with fewer the mean is less certain.
        key: random key for the model's draws, such as dropout masks.
        classes: $C$, the number of classes, at least 2.
        tolerance: largest difference between the loss and $\ln C$, in nats, that counts as
            expected; above 0.

    Returns:
        The verdict, the numbers compared, and advice.

    Raises:
        ValueError: `classes` is under 2, `tolerance` is not above 0, the arrays of the batch differ
            in length, or `state` was made by another trainer.
        TypeError: an argument has a wrong type.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> from jaxtricks import models, training
        >>> net = models.linear_model(classes=10)
        >>> ours = training.trainer(training.classification_loss(net), optax.sgd(0.1))
        >>> batch = {"image": jnp.zeros((4, 8, 8, 1)), "label": jnp.arange(4)}
        >>> state = ours.init(net.init(jax.random.key(0), batch["image"], train=False))
        >>> found = check_initial_loss(ours, state, batch, key=jax.random.key(1), classes=10)
        >>> found.verdict, round(found.loss, 3), round(found.expected, 3)
        ('as expected', 2.303, 2.303)
    """
    check_functions("trainer", trainer, Trainer)
    check_instance("state", state, TrainState)
    check_own_state("state", trainer, state)
    check_instance("batch", batch, dict)
    count_examples(batch, name="batch")
    check_key("key", key)
    check_integer("classes", classes, low=2)
    check_range("tolerance", tolerance, above=0.0)
    metrics = jax.device_get(jax.jit(trainer.step)(state, batch, key)[1])
    loss, expected = float(metrics["loss"]), math.log(classes)
    if not math.isfinite(loss):
        verdict = "not finite"
    elif abs(loss - expected) <= tolerance:
        verdict = "as expected"
    else:
        verdict = "too high" if loss > expected else "too low"
    penalty = float(metrics.get("penalty", 0.0))
    return InitialLoss(verdict, loss, expected, penalty, ADVICE[verdict])
