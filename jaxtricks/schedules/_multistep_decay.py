"""Multistep decay: cuts by a constant factor at chosen updates."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._check_increasing import check_increasing
from jaxtricks._checks import check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def multistep_decay(
    initial: ScalarLike,
    boundaries: Sequence[int],
    *,
    factor: ScalarLike = 0.1,
    final: ScalarLike = 0.0,
) -> Schedule:
    r"""Multiplies the learning rate by `factor` at each of the `boundaries`.

    $\alpha_t = \alpha_0 \gamma^{|\{b : b \le t\}|}$, but not below `final`. Update number $b$,
    counted from 0, is the first with the smaller learning rate. An integer count is compared with
    the boundaries as an integer, so each cut happens at its exact update.

    He et al. trained on CIFAR-10 with `multistep_decay(0.1, (32_000, 48_000))` for 64,000 updates.
    For a shorter run, keep the proportions 32 : 48 : 64.

    Args:
        initial: $\alpha_0$, the learning rate of the first update, at least 0.
        boundaries: increasing counts of updates, integers of at least 1.
        factor: $\gamma$, in `(0, 1]`; 1 changes nothing.
        final: the lowest learning rate, at least 0.

    Raises:
        ValueError: a learning rate is negative or not finite, `factor` is outside `(0, 1]`, or
            `boundaries` is empty, unsorted or holds a number less than 1.
        TypeError: a boundary is not an integer.

    Example:
        >>> rate = multistep_decay(0.1, (32_000, 48_000))
        >>> [round(float(rate(count)), 4) for count in (0, 31_999, 32_000, 47_999, 48_000)]
        [0.1, 0.1, 0.01, 0.01, 0.001]

    References:
        He et al., [Deep residual learning](https://arxiv.org/abs/1512.03385), 2016, section 4.2.
    """
    check_range("initial", initial, low=0.0)
    check_increasing("boundaries", boundaries, low=1)
    check_range("factor", factor, above=0.0, high=1.0)
    check_range("final", final, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        passed = count >= jnp.stack([jnp.asarray(step, count.dtype) for step in boundaries])
        cut = jnp.float32(initial) * power(factor, jnp.sum(passed, dtype=jnp.int32))
        return jnp.maximum(cut, jnp.float32(final))

    return schedule
