"""The loss before the first update, against that of a model that knows nothing."""

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
    "as expected": "Go on: see whether the model can learn a few examples by heart.",
    "too high": "The scores of the classes differ too much from the start: make the weights of the "
    "last layer smaller, or the inputs.",
    "too low": "The model knows more than it can: look for labels among the inputs, a loss that is "
    "divided twice, and fewer classes in the data.",
    "not finite": "Look for labels that are not from 0 to C - 1, for NaN in the inputs, and for a "
    "logarithm or a division without a bound.",
}


class InitialLoss(NamedTuple):
    """What `check_initial_loss` found.

    Attributes:
        verdict: how the loss compares with what was expected.
        loss: mean cross-entropy before the first update, without the penalty.
        expected: the logarithm of the number of classes.
        penalty: what the penalty adds; 0 without one.
        advice: what to do next, one sentence.
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
    r"""Compares the loss before the first update with $\ln C$.

    A model that knows nothing gives each of $C$ classes the same probability, and its mean
    cross-entropy is $\ln C$. Scores that are normally distributed with variance $v$, independent
    of the labels, cost about $v/2$ more, so the tolerance is half the variance that is allowed.

    The model is called as in training, so dropout draws and batch norm sees the batch. The state is
    not changed.

    Args:
        trainer: from `training.trainer`, with the penalty, if there is one.
        state: before the first update, from `trainer.init`.
        batch: some hundred examples; of fewer the mean is less certain.
        key: for what the model draws.
        classes: $C \ge 2$, how many classes there are.
        tolerance: by how much the loss may differ, in nats; above 0.

    Raises:
        ValueError: `classes` is under 2, `tolerance` not above 0, the arrays of the batch differ in
            length, or the state is that of another rule.
        TypeError: an argument is of another type.

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
