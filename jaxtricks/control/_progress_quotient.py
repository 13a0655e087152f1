"""Stopping when generalization is lost faster than training progresses."""

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
    """The training errors of the current strip: how many, their sum and the lowest, at first 0."""

    length: Int[Array, ""]
    total: Float[Array, ""]
    lowest: Float[Array, ""]


def progress_quotient(
    alpha: ScalarLike, strip: int | Int[Array, ""], *, keep_best: bool = True
) -> ControlRule:
    r"""Stops at the end of a strip whose loss is over `alpha` times its progress: Prechelt's PQ.

    $P_k(t) = 1000\, (\sum_{t'} E_{tr}(t') / (k \min_{t'} E_{tr}(t')) - 1)$ over the last $k$
    observations, in thousandths, is how much the mean training error of the strip is above its
    lowest: large while the error falls or jumps, near 0 in the end. The rule stops when
    $GL(t) > \alpha P_k(t)$, with $GL$ in percent as in `generalization_loss`: while training still
    progresses fast, the generalization loss may be recovered.

    The observed value is a pair, `update((validation, training), state, variables)`. It returns
    whether to stop, and a `StoppingState`, as `early_stopping` does.

    Errors are at least 0, as in `generalization_loss`: concrete negative ones are refused, for
    traced ones the output is meaningless. A validation error that is NaN or infinite at the end of
    a strip, after a finite one, stops the run. A training error that is NaN leaves its strip
    without $P_k$, and such a strip never stops it.

    Args:
        alpha: at least 0; the paper's values run from 0.5 to 3.
        strip: $k \ge 1$; the paper's is 5. With 1 there is no progress, so any loss stops.
        keep_best: whether the state carries the best variables.

    Raises:
        ValueError: `alpha` is negative or not finite, or `strip` is under 1; in `init` and
            `update`, `variables` are missing; in `update`, an error is negative.
        TypeError: `strip` is not an integer, or the observed value is not a pair.

    Example:
        >>> rule = progress_quotient(0.5, 2, keep_best=False)
        >>> state = rule.init()
        >>> for pair in ((1.0, 3.0), (1.1, 1.0), (1.2, 1.0), (1.3, 0.9)):
        ...     stop, state = rule.update(pair, state)
        ...     print(bool(stop), end=" ")  # 2nd: 10 <= 0.5 * 1000, 4th: 30 > 0.5 * 55.6
        False False False True

    References:
        Prechelt, [Early stopping - but when?](https://doi.org/10.1007/3-540-49430-8_3), 1998, sec.
        2.
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
        # 0 / 0 is no progress; 0 * excess keeps a NaN
        gain = jnp.where(excess > 0, excess / jnp.where(at_lowest > 0, at_lowest, 1), 0 * excess)
        loss, end = loss_percent(progress), length >= strip
        endless = (at_lowest == 0) & (excess > 0)  # progress without limit: no loss is over it
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
