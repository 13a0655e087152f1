"""Stopping when the validation error is too far above its lowest value."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import check_error, has_best, nan_to_inf
from jaxtricks.control._stopping import Progress, stopping


def loss_percent(progress: Progress) -> Float[Array, ""]:
    """Returns $100 (E_{va} / E_{opt} - 1)$; NaN counts as an infinite error.

    It is 0 before the first finite error, and where both errors are 0. Where only the lowest error
    is 0, it is the largest float, because `jax_debug_infs` would raise an error for infinity.
    """
    best = progress.best_value
    excess = nan_to_inf(progress.value) - best
    ratio = excess / jnp.where(best > 0, best, 1)
    percent = jnp.where(best > 0, 100 * ratio, jnp.finfo(best.dtype).max)
    return jnp.where(has_best(best, "min") & (excess > 0), percent, 0)


def generalization_loss(alpha: ScalarLike, *, keep_best: bool = True) -> ControlRule:
    r"""Stops if the validation error is more than `alpha` percent above its lowest: Prechelt's GL.

    The generalization loss is $GL(t) = 100\, (E_{va}(t) / E_{opt}(t) - 1)$, in percent, where
    $E_{opt}(t)$ is the lowest validation error up to $t$. `update(error, state, variables)` returns
    whether to stop, and a `StoppingState`, as `early_stopping` does.

    Errors must be at least 0: with a negative lowest error the ratio would fall as the error rises,
    and the rule would never stop. A negative error raises a `ValueError`. A traced error cannot be
    checked, so under `jit` the output for a negative one is meaningless. An error that is NaN or
    infinite after a finite one counts as an infinite generalization loss and stops the run.

    Args:
        alpha: the largest generalization loss tolerated, in percent, at least 0; the values in the
            paper run from 1 to 5.
        keep_best: whether the state stores the best variables.

    Raises:
        ValueError: `alpha` is negative or not finite; in `init` and `update`, `variables` are
            missing; in `update`, the error is negative.
        TypeError: `keep_best` is not a bool.

    Example:
        >>> rule = generalization_loss(5.0, keep_best=False)
        >>> state = rule.init()
        >>> for error in (2.0, 1.0, 1.04, 1.06):
        ...     stop, state = rule.update(error, state)
        ...     print(bool(stop), end=" ")
        False False False True

    References:
        Prechelt, [Early stopping - but when?](https://doi.org/10.1007/3-540-49430-8_3), 1998,
        section 2.
    """
    check_range("alpha", alpha, low=0.0)

    def judge(progress: Progress, value: PyTree, memory: PyTree) -> tuple[Bool[Array, ""], PyTree]:
        del value
        return loss_percent(progress) > alpha, memory

    def error(value: PyTree) -> ScalarLike:
        check_error("value", value)
        return value

    return stopping(
        judge,
        (),
        metric=error,
        min_delta=0.0,
        mode="min",
        keep_best=keep_best,
    )
