"""Random masks of a given probability, drawn with few random bits.

Time as a multiple of that of `jax.random.bernoulli`, on two CPU cores, for 32 thousand to 1.6
million entries: 0.1 to 0.25 at a rate of 0.5, 0.15 to 0.45 at 0.25, 0.5 to 0.7 at 0.1 and at a
traced rate; in calls outside of `jit` at most 0.9.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, UInt32

from jaxtricks._types import ScalarLike

DIGITS = 16  # binary digits of the probability


def bernoulli_mask(
    key: Key[Array, ""], shape: tuple[int, ...], rate: ScalarLike
) -> tuple[Bool[Array, "*shape"], Float[Array, ""]]:
    """Draws a mask that is False with probability `rate`, rounded to a multiple of `2**-16`.

    Args:
        key: a random key. The same key, shape and rate give the same mask on all devices, whether
            the rate is traced or not.
        shape: the shape of the mask.
        rate: the probability of False, in `[0, 1]`. The caller checks it; it may be traced.

    Returns:
        The mask, and the rounded probability of True. Values that are masked and divided by this
        probability keep their expected value exactly. Its derivative with respect to the rate is
        that of `1 - rate`, as if it were not rounded. If a traced rate is out of range, the mask
        is False and the probability is NaN.

    Example:
        >>> mask, probability = bernoulli_mask(jax.random.key(0), (8,), 0.5)
        >>> mask.tolist(), float(probability)
        ([True, True, True, False, False, True, False, True], 0.5)
    """
    share, digits = binary_digits(rate)
    return draw_mask(key, share, digits=digits, shape=shape), keep_probability(rate)


def binary_digits(rate: ScalarLike) -> tuple[Array | np.ndarray, int]:
    """Returns `1 - rate` in multiples of `2**-16`, and the number of its binary digits.

    Both are arguments of `draw_mask`. Trailing zeros are not counted, unless the rate is traced.
    """
    share = _share(rate)
    if isinstance(rate, jax.core.Tracer):
        return share, DIGITS
    return share, sum(int(share) % 2**place != 0 for place in range(1, DIGITS + 1))


def keep_probability(rate: ScalarLike) -> Float[Array, ""]:
    """Returns the rounded probability of True with which `bernoulli_mask` draws.

    Example:
        >>> float(keep_probability(0.1)) * 2**16
        58982.0
    """
    probability = jnp.asarray(_share(rate).astype(jnp.float32) / 2**DIGITS)
    if isinstance(rate, jax.core.Tracer):
        keep = 1 - jnp.asarray(rate, jnp.float32)
        probability += keep - jax.lax.stop_gradient(keep)
        probability = jnp.where((keep >= 0) & (keep <= 1), probability, jnp.nan)
    return probability


def _share(rate: ScalarLike) -> Array | np.ndarray:
    """Returns `1 - rate` in multiples of `2**-16`, rounded; 0 if a traced rate is out of range."""
    xp = jnp if isinstance(rate, jax.core.Tracer) else np
    keep = 1 - xp.asarray(rate, xp.float32)
    keep = xp.where((keep >= 0) & (keep <= 1), keep, 0)
    return xp.asarray(xp.round(keep * 2**DIGITS), xp.uint32)


@functools.partial(jax.jit, static_argnames=("digits", "shape"))
def draw_mask(
    key: Key[Array, ""], share: UInt32[Array, ""], *, digits: int, shape: tuple[int, ...]
) -> Bool[Array, "*shape"]:
    """Draws a mask that is True with probability `share / 2**16`, which has `digits` binary digits.

    An entry is True if its random number is smaller than the probability. Both are compared digit
    by digit, from the last to the first. Where the probability has a 1, a random bit of 1 makes the
    result "smaller"; where it has a 0, a random bit of 0 makes it "not smaller"; else it stays.
    A 32-bit word holds one digit of 32 neighbouring entries of a row, so one operation compares 32
    entries, and a probability of few digits needs few random bits. The rows are those of the first
    axis, along which arrays are divided among devices. Where a row is so short that its words
    would outnumber its entries, each entry has a random number of its own.
    """
    rows = shape[:1] if len(shape) > 1 else ()
    size = math.prod(shape[len(rows) :])
    words = -(-size // 32)
    if rows and DIGITS * words > size:
        return jax.random.bits(key, shape, jnp.uint16).astype(jnp.uint32) < share
    # One long row of words, because XLA writes slow loops for many short rows.
    numbers = jax.random.bits(key, (digits, math.prod(rows) * words), jnp.uint32)

    def compare(smaller: Array, digit: tuple[Array, Array]) -> tuple[Array, None]:
        place, word = digit
        one = share >> place & 1 != 0
        return jnp.where(one, word | smaller, word & smaller), None

    # A loop, because XLA would fuse unrolled operations with what follows and repeat them for every
    # bit. It runs over places, not digits, because XLA makes a slow program of equal constants.
    places = DIGITS - 1 - np.arange(digits, dtype=np.uint32)
    # Zeros computed from values that may differ between devices: `shard_map` needs them so.
    smaller = 0 * share * jnp.sum(numbers[:1], axis=0, dtype=jnp.uint32)
    smaller, _ = jax.lax.scan(compare, smaller, (places, numbers), reverse=True)
    smaller = smaller.reshape(*rows, words, 1)
    places = jax.lax.broadcasted_iota(jnp.uint32, (*rows, words, 32), len(rows) + 1)
    mask = ((smaller >> places) & 1 != 0).reshape(*rows, words * 32)[..., :size].reshape(shape)
    return mask | (share == 2**DIGITS)
