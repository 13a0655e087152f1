"""A check that a model can memorise a few examples."""

import functools
from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from jaxtricks._checks import check_functions, check_instance, check_integer, check_key
from jaxtricks._own_state import check_own_state
from jaxtricks.data import count_examples
from jaxtricks.training import Trainer, TrainState, evaluate

FLAT, LEARNED, EXPLODED = 0.95, 0.1, 2.0  # shares of the first loss
DEAD = 1e-6  # share of the largest gradient norm
ADVICE = {
    "learned": "The model can learn these examples: train it with all data.",
    "slow": "The loss falls, but not far enough: allow more updates, or raise the learning rate. "
    "If it stays slow, look for a softmax before a loss that applies softmax itself.",
    "flat": "The loss does not fall, or has stopped falling: raise the learning rate, or lower it "
    "if it is high. If no learning rate helps, look for a wrong gradient, or for labels in another "
    "order than the inputs.",
    "dead": "The loss does not fall and the gradient has vanished: the units are dead or "
    "saturated. If they became so in training, lower the learning rate; otherwise change the "
    "initial weights.",
    "exploded": "The loss exploded: lower the learning rate, or clip the gradient.",
}


BAD_START = (
    "The loss is not finite before the first update: look for labels that are not from 0 to C - 1, "
    "and for NaN in the inputs."
)


class Overfit(NamedTuple):
    """The result of `check_overfit`.

    Attributes:
        verdict: the first of these that applies. `"exploded"`: a loss is not finite, or the mean of
            the last ten in `losses` is over twice the first one. `"learned"`: that mean is at least
            5 % below the first one, and `accuracy` is 1 or, if it is None, `loss` is at most a
            tenth of the first one. `"slow"`: that mean is at least 5 % below the first one and at
            least 5 % below the mean of ten losses around the middle of the updates. `"dead"`: the
            last gradient norm is at most 1e-6 of the largest one. `"flat"`: none of these.
        loss: mean loss of the final model in evaluation mode.
        accuracy: accuracy of the final model in evaluation mode; None if the loss function of the
            trainer reports no accuracy.
        losses: training loss before each update.
        advice: what to do next.
    """

    verdict: Literal["learned", "slow", "flat", "dead", "exploded"]
    loss: float
    accuracy: float | None
    losses: Float[np.ndarray, " updates"]
    advice: str


def check_overfit(
    trainer: Trainer,
    state: TrainState,
    examples: dict[str, Array],
    *,
    key: Key[Array, ""],
    updates: int = 500,
) -> Overfit:
    """Checks whether a model can memorise a few examples, training on all of them in each update.

    A model that cannot memorise about 50 examples will not learn from many. Leave out penalties and
    dropout, which prevent memorising. A model that passes may still have a bug: it would also
    memorise random labels. The loss must be one that is never negative.

    Args:
        trainer: from `training.trainer`, without a penalty.
        state: the state before the first update, from `trainer.init`; it is not changed.
        examples: a dict of arrays whose first axis is the example, about 50 examples.
        key: random key for the model's draws, such as dropout masks.
        updates: number of updates, at least 10.

    Returns:
        The verdict, the numbers on which it is based, and advice.

    Raises:
        ValueError: `updates` is under 10, there is no example, the arrays differ in length, `state`
            was made by another trainer, or a loss is negative.
        TypeError: an argument has a wrong type.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> from jaxtricks import models, training
        >>> net = models.linear_model(classes=2)
        >>> images = jnp.array([0.0, 1.0])[:, None, None, None]
        >>> state = net.init(jax.random.key(0), images, train=False)
        >>> def tried(rate):
        ...     ours = training.trainer(training.classification_loss(net), optax.sgd(rate))
        ...     examples = {"image": images, "label": jnp.array([0, 1])}
        ...     return check_overfit(ours, ours.init(state), examples, key=jax.random.key(1))
        >>> tried(1.0).verdict, tried(1e-6).verdict
        ('learned', 'flat')
    """
    check_functions("trainer", trainer, Trainer)
    check_instance("state", state, TrainState)
    check_own_state("state", trainer, state)
    check_instance("examples", examples, dict)
    count = count_examples(examples)
    check_key("key", key)
    check_integer("updates", updates, low=10)
    state, metrics = train(trainer, int(updates), state, examples, key)
    metrics = jax.device_get(metrics)
    ended = jax.device_get(evaluate(trainer, trainer.variables(state), examples, count))
    loss, accuracy = float(ended["loss"]), ended.get("accuracy")
    accuracy = None if accuracy is None else float(accuracy)
    losses = np.append(metrics["loss"], loss)
    negative = np.isfinite(losses) & (losses < -0.01 * abs(losses[0]))  # more than rounding
    if negative.any():
        raise ValueError(
            f"trainer must have a loss that is never negative, got {losses[negative][0]:.4g} after "
            f"{negative.argmax()} updates: check its sign."
        )
    verdict = judge(metrics, loss, accuracy)
    advice = ADVICE[verdict] if np.isfinite(metrics["loss"][0]) else BAD_START
    return Overfit(verdict, loss, accuracy, metrics["loss"], advice)


@functools.partial(jax.jit, static_argnums=(0, 1))
def train(
    trainer: Trainer,
    updates: int,
    state: TrainState,
    examples: dict[str, Array],
    key: Key[Array, ""],
) -> tuple[TrainState, dict[str, Array]]:
    """Makes `updates` updates with all examples; returns the state and the metrics of each."""

    def body(state: TrainState, _: None) -> tuple:
        return trainer.step(state, examples, key)

    return jax.lax.scan(body, state, length=updates)


def judge(metrics: dict[str, np.ndarray], loss: float, accuracy: float | None) -> str:
    """Derives the verdict from the metrics of each update and of the final model."""
    losses = np.asarray(metrics["loss"], float)
    half = len(losses) // 2
    first, middle, last = losses[0], losses[half - 5 : half + 5].mean(), losses[-10:].mean()
    if not np.isfinite([*losses, loss]).all() or last > EXPLODED * first:
        return "exploded"
    learned = loss <= LEARNED * first if accuracy is None else accuracy == 1.0
    if learned and last <= FLAT * first:
        return "learned"
    if last <= FLAT * min(first, middle):
        return "slow"
    norms = metrics.get("gradient_norm")
    return "dead" if norms is not None and norms[-1] <= DEAD * norms.max() else "flat"
