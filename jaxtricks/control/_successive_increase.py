"""Stopping when the validation error has risen several times running."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import check_integer
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import nan_to_inf, observe
from jaxtricks.control._stopping import Progress, stopping


class Increases(NamedTuple):
    """Observations in the current strip, the error at the last strip's end, and rises in a row.

    The rises are -1 before the end of the first strip, which has nothing to compare with.
    """

    length: Int[Array, ""]
    last_error: Float[Array, ""]
    rises: Int[Array, ""]


def successive_increase(
    times: int | Int[Array, ""], strip: int | Int[Array, ""], *, keep_best: bool = True
) -> ControlRule:
    r"""Stops when the error rose over each of the last `times` strips: Prechelt's UP.

    $UP_s$ stops at $t$ if $UP_{s-1}$ stops at $t - k$ and $E_{va}(t) > E_{va}(t - k)$, and is
    evaluated at the end of each strip of $k$ observations. The first strip has nothing to compare
    with. How high the error is does not matter, only that it keeps rising. NaN counts as infinite.
    `update(error, state, variables)` returns whether to stop, and a `StoppingState`, as
    `early_stopping` does.

    Args:
        times: $s \ge 1$; the paper's values run from 2 to 8.
        strip: $k \ge 1$; the paper's is 5.
        keep_best: whether the state carries the best variables.

    Raises:
        ValueError: `times` or `strip` is under 1; in `init` and `update`, `variables` are missing.
        TypeError: `times` or `strip` is not an integer.

    Example:
        >>> rule = successive_increase(2, 1, keep_best=False)
        >>> state = rule.init()
        >>> for error in (3.0, 3.1, 2.0, 2.1, 2.2):
        ...     stop, state = rule.update(error, state)
        ...     print(bool(stop), end=" ")
        False False False False True

    References:
        Prechelt, [Early stopping - but when?](https://doi.org/10.1007/3-540-49430-8_3), 1998, sec.
        2.
    """
    check_integer("times", times, low=1)
    check_integer("strip", strip, low=1)

    def judge(progress: Progress, value: PyTree, past: PyTree) -> tuple[Bool[Array, ""], Increases]:
        del value
        error = nan_to_inf(progress.value)
        length = optax.safe_increment(past.length)
        end = length >= strip
        rose = (past.rises >= 0) & (error > past.last_error)
        risen = jnp.where(rose, optax.safe_increment(past.rises), 0)
        rises = jnp.where(end, risen, past.rises)
        memory = Increases(
            length=jnp.where(end, 0, length),
            last_error=jnp.where(end, error, past.last_error),
            rises=rises,
        )
        return end & (rises >= times), memory

    zero = jnp.zeros([], jnp.int32)
    return stopping(
        judge,
        Increases(zero, observe(0.0), zero - 1),
        metric=lambda value: value,
        min_delta=0.0,
        mode="min",
        keep_best=keep_best,
    )
