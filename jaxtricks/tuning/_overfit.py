"""Whether a model can learn a few examples by heart."""

import functools
from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from jaxtricks._checks import check_functions, check_instance, check_integer, check_key
from jaxtricks._own_state import check_own_state
from jaxtricks.data import count_examples
from jaxtricks.training import Trainer, TrainState, evaluate

FLAT, LEARNED, EXPLODED = 0.95, 0.1, 2.0  # of the first loss
DEAD = 1e-6  # of the largest gradient norm
ADVICE = {
    "learned": "The model can learn these examples: go on with all data.",
    "slow": "The loss falls, but not far enough: allow more updates, or raise the learning rate. "
    "If it stays slow, see whether a softmax stands in front of a loss that has its own.",
    "flat": "The loss does not fall, or not any more: raise the learning rate, or lower it if it "
    "is high. If no rate helps, the gradient does not fit the loss, or labels and inputs are of "
    "different rows.",
    "dead": "The loss does not fall and there is no gradient: the units are dead or saturated. "
    "Lower the learning rate if they were not so at the start, otherwise change the initial "
    "weights.",
    "exploded": "The loss exploded: lower the learning rate, or clip the gradient.",
}


BAD_START = (
    "The loss is not finite before the first update: look for labels that are not from 0 to C - 1, "
    "and for NaN in the inputs."
)


class Overfit(NamedTuple):
    """What `check_overfit` found.

    Attributes:
        verdict: what the loss did. "exploded": it is not finite, or the mean of the last ten is
            over twice the first; "learned": it fell by over a twentieth, and all examples are
            classified correctly, or, if the loss reports no accuracy, it fell to a tenth; "flat":
            it was not learned, and fell by less than a twentieth, in all or in the second half of
            the updates; "dead": flat, and the gradient has vanished; "slow": it is still falling.
        loss: mean loss of the model at the end, in evaluation.
        accuracy: its share of correct answers, in evaluation; None if the loss reports none.
        losses: of each update, in training, before that update.
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
    """Trains on a few examples, all of them in each update, and says whether they were learned.

    A model that cannot learn about 50 examples by heart will not learn many. Leave out the penalty
    and dropout, which keep it from doing so. A model that can learn them may still be wrong: it
    learns random labels as well. The loss must be one that is never negative.

    Args:
        trainer: from `training.trainer`, without penalty.
        state: before the first update, from `trainer.init`; it is not changed.
        examples: about 50, a dict of arrays whose first axis is the example.
        key: for what the model draws.
        updates: how many, at least 10.

    Raises:
        ValueError: `updates` is under 10, there is no example, the arrays differ in length, the
            state is that of another rule, or the loss becomes negative.
        TypeError: an argument is of another type.

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
    negative = np.isfinite(losses) & (losses < -0.01 * abs(losses[0]))  # not by rounding
    if negative.any():
        raise ValueError(
            f"trainer must have a loss that is never negative, got {losses[negative][0]:.4g} after "
            f"{negative.argmax()} updates: is its sign turned?"
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
    """The state after so many updates with all examples, and the metrics of each."""

    def body(state: TrainState, _: None) -> tuple:
        return trainer.step(state, examples, key)

    return jax.lax.scan(body, state, length=updates)


def judge(metrics: dict[str, np.ndarray], loss: float, accuracy: float | None) -> str:
    """The verdict, from the metrics of each update and the model at the end."""
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
