"""Random masks of a given probability, drawn with few random bits.

Time relative to `jax.random.bernoulli`, two CPU cores, 32 thousand to 1.6 million entries: 0.1 to
0.25 at the rate 0.5, 0.15 to 0.45 at 0.25, 0.5 to 0.7 at 0.1 and traced; eager calls at most 0.9.
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
    """Draws a mask that is False with probability `rate`, rounded to a multiple of 2^-16.

    Args:
        key: the same key, shape and rate give the same mask on any devices, whether the rate is
            traced or not.
        shape: of the mask.
        rate: probability of False, in `[0, 1]`, checked by the caller; it may be traced.

    Returns:
        The mask, and the probability of True with which it was drawn. Divided by that, the masked
        values keep their expected value exactly. Its derivative by the rate is that of `1 - rate`:
        the rounding is not differentiated. Of a traced rate that is out of range the mask is False
        and the probability NaN.

    Example:
        >>> mask, probability = bernoulli_mask(jax.random.key(0), (8,), 0.5)
        >>> mask.tolist(), float(probability)
        ([True, True, True, False, False, True, False, True], 0.5)
    """
    share, digits = binary_digits(rate)
    return draw_mask(key, share, digits=digits, shape=shape), keep_probability(rate)


def binary_digits(rate: ScalarLike) -> tuple[Array | np.ndarray, int]:
    """What `draw_mask` needs: `1 - rate` in multiples of 2^-16, and how many binary digits it has.

    Zeros at the end do not count where the rate is not traced.
    """
    share = _share(rate)
    if isinstance(rate, jax.core.Tracer):
        return share, DIGITS
    return share, sum(int(share) % 2**place != 0 for place in range(1, DIGITS + 1))


def keep_probability(rate: ScalarLike) -> Float[Array, ""]:
    """The probability of True with which `bernoulli_mask` draws.

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
    """`1 - rate` in multiples of 2^-16, rounded; 0 of a traced rate that is out of range."""
    xp = jnp if isinstance(rate, jax.core.Tracer) else np
    keep = 1 - xp.asarray(rate, xp.float32)
    keep = xp.where((keep >= 0) & (keep <= 1), keep, 0)
    return xp.asarray(xp.round(keep * 2**DIGITS), xp.uint32)


@functools.partial(jax.jit, static_argnames=("digits", "shape"))
def draw_mask(
    key: Key[Array, ""], share: UInt32[Array, ""], *, digits: int, shape: tuple[int, ...]
) -> Bool[Array, "*shape"]:
    """Draws True with the probability `share` / 2^16, which has `digits` binary digits.

    Each entry compares a random number with the probability, digit by digit from the last: where
    the digit is 1 a random bit of 1 means "smaller" whatever followed, and where it is 0 a random
    bit of 0 means "not smaller". A word holds one digit of 32 neighbours in a row, so that one
    operation compares 32 entries, and a probability of few digits costs few random bits. Rows are
    those of the first axis, which is the one that is divided among devices. In rows so short that
    their words would be more than their entries, each entry has a number of its own.
    """
    rows = shape[:1] if len(shape) > 1 else ()
    size = math.prod(shape[len(rows) :])
    words = -(-size // 32)
    if rows and DIGITS * words > size:
        return jax.random.bits(key, shape, jnp.uint16).astype(jnp.uint32) < share
    # In one row, because XLA writes slow loops for many short ones.
    numbers = jax.random.bits(key, (digits, math.prod(rows) * words), jnp.uint32)

    def compare(smaller: Array, digit: tuple[Array, Array]) -> tuple[Array, None]:
        place, word = digit
        one = share >> place & 1 != 0
        return jnp.where(one, word | smaller, word & smaller), None

    # A loop, because XLA would fuse the unrolled one with what follows and redo it for every bit.
    # Over places and not over digits, because of equal constants it makes a slow program.
    places = DIGITS - 1 - np.arange(digits, dtype=np.uint32)
    # Zeros made of what may differ between devices: else `shard_map` refuses the loop.
    smaller = 0 * share * jnp.sum(numbers[:1], axis=0, dtype=jnp.uint32)
    smaller, _ = jax.lax.scan(compare, smaller, (places, numbers), reverse=True)
    smaller = smaller.reshape(*rows, words, 1)
    places = jax.lax.broadcasted_iota(jnp.uint32, (*rows, words, 32), len(rows) + 1)
    mask = ((smaller >> places) & 1 != 0).reshape(*rows, words * 32)[..., :size].reshape(shape)
    return mask | (share == 2**DIGITS)
