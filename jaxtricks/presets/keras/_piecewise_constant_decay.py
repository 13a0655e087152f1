"""The schedule `keras.optimizers.schedules.PiecewiseConstantDecay`."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._check_increasing import check_increasing
from jaxtricks._checks import check_instance, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def piecewise_constant_decay(boundaries: Sequence[int], values: Sequence[ScalarLike]) -> Schedule:
    r"""Returns Keras's `PiecewiseConstantDecay`: constant between the boundaries.

    $\alpha_t = v_i$, where $i$ is the number of boundaries below $t$. At a count that equals a
    boundary the learning rate is still the one before the boundary, so it changes one update later
    than in `jaxtricks.schedules.multistep_decay`.

    Args:
        boundaries: numbers of updates in increasing order, each at least 0.
        values: the learning rates, each at least 0; there is one more than boundaries.

    Raises:
        ValueError: a value is negative or not finite, the lengths do not fit, or `boundaries` is
            empty, not increasing or holds a negative number.
        TypeError: a boundary is not an integer, or a value is not a real scalar.

    Example:
        >>> rate = piecewise_constant_decay([1, 3], [1.0, 0.5, 0.25])
        >>> [float(rate(count)) for count in range(6)]
        [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]

    References:
        Keras's
        [`PiecewiseConstantDecay`](https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/).
    """
    check_increasing("boundaries", boundaries, low=0)
    check_instance("values", values, Sequence)
    for place, value in enumerate(values):
        check_range(f"values[{place}]", value, low=0.0)
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"values must be one more than the {len(boundaries)} boundaries, got {values}."
        )

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        passed = [jnp.int32(count > jnp.asarray(step, count.dtype)) for step in boundaries]
        return jnp.stack([jnp.float32(value) for value in values])[sum(passed, jnp.int32(0))]

    return schedule
