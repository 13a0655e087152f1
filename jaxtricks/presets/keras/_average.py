"""The exponential moving average of the parameters that Keras's optimizers can keep."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_flag, check_integer, check_range
from jaxtricks._moments import cast_like, full_moment, scalar, to_float32, weighted_mean
from jaxtricks._tree_checks import check_params_given, check_updates
from jaxtricks._types import ScalarLike


class AverageState(NamedTuple):
    """The state of `average`.

    Attributes:
        count: number of updates done so far.
        average: moving average of the parameters, shaped like them; 0 before the first update.
    """

    count: Int[Array, ""]
    average: PyTree


def average(
    use_ema: bool, momentum: ScalarLike, overwrite_frequency: int | None
) -> tuple[optax.GradientTransformationExtraArgs, ...]:
    r"""Returns a transformation that averages the parameters, to put last; none without `use_ema`.

    $a_1 = x_1$ and $a_t = \mu a_{t-1} + (1 - \mu) x_t$. If `overwrite_frequency` divides $t$, then
    $x_t \leftarrow a_t$.

    Raises:
        ValueError: `momentum` is not in `[0, 1]`, or `overwrite_frequency` is under 1.
        TypeError: `use_ema` is not a bool, or `overwrite_frequency` is not an integer.

    Example:
        >>> (tx,) = average(True, 0.5, 2)
        >>> params = jnp.zeros(())
        >>> state = tx.init(params)
        >>> for _ in range(4):
        ...     updates, state = tx.update(jnp.ones(()), state, params)
        ...     params = params + updates
        ...     print(params)
        1.0
        1.5
        2.5
        2.75
    """
    check_flag("use_ema", use_ema)
    check_range("ema_momentum", momentum, low=0.0, high=1.0)
    if overwrite_frequency is not None:
        check_integer("ema_overwrite_frequency", overwrite_frequency, low=1)
    if not use_ema:
        return ()

    def init(params: PyTree) -> AverageState:
        return AverageState(jnp.zeros([], jnp.int32), full_moment(params))

    def update(
        updates: PyTree, state: AverageState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, AverageState]:
        del extra_args
        check_params_given(params)
        check_updates(updates, state.average)
        before, steps = to_float32(params), to_float32(updates)
        after = jax.tree.map(lambda x, u: x + jnp.asarray(u, x.dtype), before, steps)
        first, decay = state.count == 0, scalar(momentum)
        share, decay = jnp.where(first, 1.0, 1 - decay), jnp.where(first, 0.0, decay)
        means = weighted_mean(state.average, after, share=share, decay=decay)
        count = optax.safe_increment(state.count)
        if overwrite_frequency is not None:
            due = state.count % overwrite_frequency == overwrite_frequency - 1
            steps = jax.tree.map(
                lambda a, x, u: jnp.where(due, jnp.asarray(a - x, u.dtype), u), means, before, steps
            )
        return cast_like(steps, updates), AverageState(count, means)

    return (optax.GradientTransformationExtraArgs(init, update),)
