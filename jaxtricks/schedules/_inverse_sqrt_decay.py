"""The reciprocal of the square root of the time."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def inverse_sqrt_decay(
    initial: ScalarLike, *, offset: ScalarLike = 1, final: ScalarLike = 0.0
) -> Schedule:
    r"""Falls as one over the square root of the step: $\alpha_t = \alpha_0 / \sqrt t$.

    Here $t$ = `count` + `offset`, and the rate is not under `final`. The formula has no value at $t
    = 0$, so the first update is $t = 1$ and has the rate $\alpha_0$. There is no total and no
    warmup; the Transformer's curve, which has a warmup, is `noam`.

    Args:
        initial: $\alpha_0$, at least 0.
        offset: added to the count, more than 0. A larger one starts further down a flatter curve.
        final: the rate goes no lower, at least 0.

    Raises:
        ValueError: a rate is negative, `offset` is not positive, or one of them is not finite.

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
