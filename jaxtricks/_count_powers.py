"""Powers whose exponent is a count of up to 2^31 - 1, to float32's full precision.

`power(0.99997, count)` in plain float32 has an error of 0.6 % after 300,000 updates, because the
rounding of 0.99997 is raised to the same power, and counts over 2^24 are rounded themselves. Here
a count is the sum of two numbers that float32 holds exactly, and a number known in float64 is its
float32 neighbour and a rest.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._types import ScalarLike

FASTEST = 1e20  # any faster rate gives the same numbers, and would overflow times a count


def power(base: ScalarLike, count: Array) -> Float[Array, ""]:
    """Returns `base**count`: of the float64 value of a concrete base, of a traced one's float32.

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
    """Returns `exp(rate * count)`: of a concrete rate's float64 value, of a traced one's float32.

    The rate is the sum of a coarse number of 8 bits and a rest. The coarse number times either part
    of the count is exact; what rounds is the rest, which is small.

    Example:
        >>> print(f"{exponential(-1e-7, jnp.int32(100_000_001)):.5e}, {np.exp(-10.0000001):.5e}")
        4.53999e-05, 4.53999e-05
    """
    coarse, rest = _coarse_and_rest(rate)
    high, low = _exact_parts(count)
    main = coarse * high + coarse * low
    lost = (coarse * high - main) + coarse * low  # what the sum's rounding has cut off
    small = jnp.clip(lost + rest * jnp.float32(count), -1, 1)  # beyond it the value is 0 or inf
    # not exp(main) * exp(small): XLA would replace that by exp(main + small), which rounds
    return jnp.exp(main) * (1 + jnp.expm1(small))


def _exact_parts(count: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Splits a count into a multiple of 65536 and the remainder, both exact in float32."""
    low = jnp.remainder(count, 65536)
    return jnp.float32(count - low), jnp.float32(low)


def _near_and_rest(base: ScalarLike) -> tuple[ScalarLike, float]:
    """Splits a base into a float32 neighbour and the logarithm of what it lacks; 0 if traced.

    The neighbour is the one nearer to 1: its powers never leave float32's range before the base's.
    """
    if isinstance(base, jax.core.Tracer):
        return jnp.float32(base), 0.0
    exact, near = float(base), np.float32(base)
    if (float(near) - exact) * (exact - 1) > 0:
        near = np.nextafter(near, np.float32(1))
    return near, float(np.log1p((exact - float(near)) / float(near))) if near else 0.0


def _coarse_and_rest(rate: ScalarLike) -> tuple[ScalarLike, ScalarLike]:
    """Splits a rate into a number of 8 significant bits and the rest; a gradient has the rest."""
    if isinstance(rate, jax.core.Tracer):
        near = jnp.clip(jnp.float32(rate), -FASTEST, FASTEST)
        coarse = jax.lax.stop_gradient(jax.lax.reduce_precision(near, 8, 7))
        return coarse, near - coarse
    rate = np.clip(np.float64(rate), -FASTEST, FASTEST)
    mantissa, exponent = np.frexp(rate)
    coarse = np.ldexp(np.round(mantissa * 256) / 256, exponent)
    return np.float32(coarse), np.float32(rate - coarse)
