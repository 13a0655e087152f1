"""Stopping when the validation error has risen several times in a row."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import check_integer
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import nan_to_inf, observe
from jaxtricks.control._stopping import Progress, stopping


class Increases(NamedTuple):
    """State of `successive_increase`.

    Attributes:
        length: number of observations in the current strip.
        last_error: the error at the end of the last strip.
        rises: number of rises in a row; -1 before the end of the first strip.
    """

    length: Int[Array, ""]
    last_error: Float[Array, ""]
    rises: Int[Array, ""]


def successive_increase(
    times: int | Int[Array, ""], strip: int | Int[Array, ""], *, keep_best: bool = True
) -> ControlRule:
    r"""Stops when the error has risen over each of the last `times` strips: Prechelt's UP.

    A strip is $k$ observations in a row. At the end of each strip but the first, the validation
    error $E_{va}$ is compared with that at the end of the strip before. $UP_1$ stops at $t$ if
    $E_{va}(t) > E_{va}(t - k)$, and $UP_s$ does if also $UP_{s-1}$ stops at $t - k$. How large the
    error is does not matter, only that it keeps rising. NaN counts as infinite.
    `update(error, state, variables)` returns whether to stop, and a `StoppingState`, as
    `early_stopping` does.

    Args:
        times: $s \ge 1$, the number of rises in a row; the values in the paper run from 2 to 8.
        strip: $k \ge 1$, the number of observations in a strip; 5 in the paper.
        keep_best: whether the state stores the best variables.

    Raises:
        ValueError: `times` or `strip` is less than 1; in `init` and `update`, `variables` are
            missing.
        TypeError: `times` or `strip` is not an integer, or `keep_best` is not a bool.

    Example:
        >>> rule = successive_increase(2, 1, keep_best=False)
        >>> state = rule.init()
        >>> for error in (3.0, 3.1, 2.0, 2.1, 2.2):
        ...     stop, state = rule.update(error, state)
        ...     print(bool(stop), end=" ")
        False False False False True

    References:
        Prechelt, [Early stopping - but when?](https://doi.org/10.1007/3-540-49430-8_3), 1998,
        section 2.
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
