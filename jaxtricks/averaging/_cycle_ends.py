"""The last update of each learning-rate cycle, which is when to take a snapshot."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxtricks._checks import MAX_INT32, check_integer
from jaxtricks._types import ScalarLike


def cycle_ends(first_steps: int, *, multiplier: int = 1) -> Callable[[ScalarLike], Bool[Array, ""]]:
    """Makes a function that tells whether an update is the last one of its learning-rate cycle.

    The cycles are those of `schedules.cosine_restarts(rate, first_steps, multiplier=multiplier)`:
    in the last update of a cycle the learning rate is near its lowest value, and in the next one it
    is high again. With `multiplier=1`, every `first_steps`-th update ends a cycle.

    Args:
        first_steps: number of updates in the first cycle, at least 1.
        multiplier: length of each cycle divided by the length of the cycle before, at least 1.

    Returns:
        A function of `count`, the number of the update counted from 0, whose value is a boolean
        scalar. It is exact for every `count` up to the largest int32.

    Raises:
        ValueError: `first_steps` or `multiplier` is under 1.
        TypeError: `first_steps` or `multiplier` is not an integer.

    Example:
        >>> at = cycle_ends(2, multiplier=2)
        >>> [count for count in range(20) if at(count)]
        [1, 5, 13]

    References:
        Huang et al., [Snapshot ensembles](https://arxiv.org/abs/1704.00109), 2017.
    """
    check_integer("first_steps", first_steps, low=1)
    check_integer("multiplier", multiplier, low=1)
    if multiplier == 1:
        return lambda count: jnp.remainder(jnp.asarray(count), first_steps) == first_steps - 1
    ends, end, length = [], first_steps - 1, first_steps
    while end <= MAX_INT32:
        ends.append(end)
        length *= multiplier
        end += length
    return lambda count: jnp.any(jnp.asarray(count) == jnp.asarray(ends, jnp.int32))
