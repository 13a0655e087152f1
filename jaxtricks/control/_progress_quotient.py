"""Stopping when the model generalizes worse faster than its training progresses."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import check_integer, check_pair, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._generalization_loss import loss_percent
from jaxtricks.control._observation import check_error, observe
from jaxtricks.control._stopping import Progress, stopping


class TrainingStrip(NamedTuple):
    """Number, sum and lowest value of the training errors in the current strip, at first all 0."""

    length: Int[Array, ""]
    total: Float[Array, ""]
    lowest: Float[Array, ""]


def progress_quotient(
    alpha: ScalarLike, strip: int | Int[Array, ""], *, keep_best: bool = True
) -> ControlRule:
    r"""Stops if the generalization loss exceeds `alpha` times the progress: Prechelt's PQ.

    A strip is $k$ observations in a row, and the rule can stop only at the end of a strip. The
    progress $P_k(t) = 1000\, (\sum_{t'} E_{tr}(t') / (k \min_{t'} E_{tr}(t')) - 1)$ over the last
    $k$ observations says, in thousandths, how far the mean training error of the strip is above its
    lowest: it is large while the error falls or jumps, and near 0 at the end of training. The rule
    stops when $GL(t) > \alpha P_k(t)$, with $GL$ in percent as in `generalization_loss`. While
    training still progresses fast, the model may recover from a generalization loss.

    The observed value is a pair: `update((validation, training), state, variables)` returns whether
    to stop, and a `StoppingState`, as `early_stopping` does.

    Errors must be at least 0, as in `generalization_loss`: a negative error raises a `ValueError`,
    but a traced one cannot be checked and makes the output meaningless. A validation error that is
    NaN or infinite at the end of a strip, after a finite one, stops the run. If a training error is
    NaN, its strip has no $P_k$ and stops the run only if the generalization loss is infinite.

    Args:
        alpha: the factor of the progress, at least 0; the values in the paper run from 0.5 to 3.
        strip: $k \ge 1$, the number of observations in a strip; 5 in the paper. With 1 the progress
            is always 0, so any generalization loss above 0 stops the run.
        keep_best: whether the state stores the best variables.

    Raises:
        ValueError: `alpha` is negative or not finite, or `strip` is less than 1; in `init` and
            `update`, `variables` are missing; in `update`, an error is negative.
        TypeError: `strip` is not an integer, the observed value is not a pair, or `keep_best` is
            not a bool.

    Example:
        >>> rule = progress_quotient(0.5, 2, keep_best=False)
        >>> state = rule.init()
        >>> for pair in ((1.0, 3.0), (1.1, 1.0), (1.2, 1.0), (1.3, 0.9)):
        ...     stop, state = rule.update(pair, state)
        ...     print(bool(stop), end=" ")  # 2nd: 10 <= 0.5 * 1000, 4th: 30 > 0.5 * 55.6
        False False False True

    References:
        Prechelt, [Early stopping - but when?](https://doi.org/10.1007/3-540-49430-8_3), 1998,
        section 2.
    """
    check_range("alpha", alpha, low=0.0)
    check_integer("strip", strip, low=1)
    fresh = TrainingStrip(jnp.zeros([], jnp.int32), observe(0.0), observe(0.0))

    def judge(
        progress: Progress, value: PyTree, begun: PyTree
    ) -> tuple[Bool[Array, ""], TrainingStrip]:
        training = observe(value[1])
        length = optax.safe_increment(begun.length)
        lower = jnp.minimum(begun.lowest, training)
        total, lowest = begun.total + training, jnp.where(begun.length == 0, training, lower)
        at_lowest = observe(strip) * lowest
        excess = total - at_lowest
        # 0 / 0 counts as no progress; 0 * excess keeps a NaN
        gain = jnp.where(excess > 0, excess / jnp.where(at_lowest > 0, at_lowest, 1), 0 * excess)
        loss, end = loss_percent(progress), length >= strip
        endless = (at_lowest == 0) & (excess > 0)  # infinite progress: no loss exceeds it
        lost = (loss > observe(alpha) * (1000 * gain)) & ~endless
        after = TrainingStrip(length, total, lowest)
        memory = TrainingStrip(*(jnp.where(end, a, b) for a, b in zip(fresh, after, strict=True)))
        return end & (lost | (loss >= jnp.finfo(loss.dtype).max)), memory

    def validation(value: PyTree) -> ScalarLike:
        check_pair("value", value)
        for place, error in enumerate(value):
            check_error(f"value[{place}]", error)
        return value[0]

    return stopping(
        judge,
        fresh,
        metric=validation,
        min_delta=0.0,
        mode="min",
        keep_best=keep_best,
    )
