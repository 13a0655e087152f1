"""A learning rate that falls as one over the square root of the time."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def inverse_sqrt_decay(
    initial: ScalarLike, *, offset: ScalarLike = 1, final: ScalarLike = 0.0
) -> Schedule:
    r"""Lowers the learning rate as one over the root of the time: $\alpha_t = \alpha_0 / \sqrt t$.

    Here $t$ = `count` + `offset`, and the learning rate does not fall below `final`. The formula
    has no value at $t = 0$, so with the default offset the first update has $t = 1$ and the
    learning rate $\alpha_0$. There is no total number of updates and no warmup; the schedule of the
    Transformer, which has a warmup, is `noam`.

    Args:
        initial: $\alpha_0$, at least 0.
        offset: number added to the count, more than 0. A larger offset starts further along the
            curve, which is lower and flatter there.
        final: the lowest learning rate, at least 0.

    Raises:
        ValueError: a learning rate is negative, `offset` is not positive, or one of them is not
            finite.

    Example:
        >>> rate = inverse_sqrt_decay(1.0)
        >>> [round(float(rate(count)), 3) for count in (0, 1, 3, 99)]
        [1.0, 0.707, 0.5, 0.1]

    References:
        Zinkevich, Online convex programming and generalized infinitesimal gradient ascent, 2003;
        Raffel et al., [Exploring the limits of transfer learning with a unified text-to-text
        Transformer](https://arxiv.org/abs/1910.10683), 2020, section 3.1.2.
    """
    check_range("initial", initial, low=0.0)
    check_range("offset", offset, above=0.0)
    check_range("final", final, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        decayed = jnp.float32(initial) / jnp.sqrt(jnp.float32(count) + jnp.float32(offset))
        return jnp.maximum(decayed, jnp.float32(final))

    return schedule
