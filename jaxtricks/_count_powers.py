"""Powers whose exponent is a count of up to `2**31 - 1`, to the full precision of float32.

Plain float32 gives `0.99997**300_000` with an error of 0.6 %, because the rounding error of 0.99997
is raised to the same power; counts over `2**24` are rounded too. Here a count is split into two
numbers that float32 holds exactly. A base that is known in float64 is split into a float32 number
near it and the remaining factor.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._types import ScalarLike

FASTEST = 1e20  # larger rates give the same results, and would overflow times a count


def power(base: ScalarLike, count: Array) -> Float[Array, ""]:
    """Returns `base**count`, from the float64 value of `base`, or from float32 if it is traced.

    Args:
        base: at least 0; `0**0` is 1.
        count: an int32 or float32 scalar, at least 0.

    Example:
        >>> print(f"{power(0.99997, jnp.int32(300_000)):.5e}, in float64 {0.99997**300_000:.5e}")
        1.23393e-04, in float64 1.23393e-04
    """
    high, low = _exact_parts(count)
    near, rest = _near_and_rest(base)
    value = jnp.power(near, high) * jnp.power(near, low)
    return value * exponential(rest, count) if rest else value


def exponential(rate: ScalarLike, count: Array) -> Float[Array, ""]:
    """Returns `exp(rate * count)`, from the float64 value of `rate`, or float32 if it is traced.

    The rate is split into a coarse number of 8 bits and a small remainder. The products of the
    coarse number with both parts of the count are exact. Only those of the remainder are rounded.

    Example:
        >>> print(f"{exponential(-1e-7, jnp.int32(100_000_001)):.5e}, {np.exp(-10.0000001):.5e}")
        4.53999e-05, 4.53999e-05
    """
    coarse, rest = _coarse_and_rest(rate)
    high, low = _exact_parts(count)
    main = coarse * high + coarse * low
    lost = (coarse * high - main) + coarse * low  # the rounding error of the sum
    small = jnp.clip(lost + rest * jnp.float32(count), -1, 1)  # outside, it is 0 or infinite
    # Not exp(main) * exp(small), which XLA would replace by exp(main + small), which rounds.
    return jnp.exp(main) * (1 + jnp.expm1(small))


def _exact_parts(count: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Splits a count into a multiple of 65536 and the remainder, both exact in float32."""
    low = jnp.remainder(count, 65536)
    return jnp.float32(count - low), jnp.float32(low)


def _near_and_rest(base: ScalarLike) -> tuple[ScalarLike, float]:
    """Splits a base into a float32 number and the logarithm of the remaining factor.

    Of the two float32 numbers around the base it takes the one nearer to 1, whose powers stay in
    the range of float32 as long as those of the base. The logarithm is 0 if the base is traced.
    """
    if isinstance(base, jax.core.Tracer):
        return jnp.float32(base), 0.0
    exact, near = float(base), np.float32(base)
    if (float(near) - exact) * (exact - 1) > 0:
        near = np.nextafter(near, np.float32(1))
    return near, float(np.log1p((exact - float(near)) / float(near))) if near else 0.0


def _coarse_and_rest(rate: ScalarLike) -> tuple[ScalarLike, ScalarLike]:
    """Splits a rate into a number of 8 significant bits and a remainder, which has the gradient."""
    if isinstance(rate, jax.core.Tracer):
        near = jnp.clip(jnp.float32(rate), -FASTEST, FASTEST)
        coarse = jax.lax.stop_gradient(jax.lax.reduce_precision(near, 8, 7))
        return coarse, near - coarse
    rate = np.clip(np.float64(rate), -FASTEST, FASTEST)
    mantissa, exponent = np.frexp(rate)
    coarse = np.ldexp(np.round(mantissa * 256) / 256, exponent)
    return np.float32(coarse), np.float32(rate - coarse)
