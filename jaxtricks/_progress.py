"""How much of a number of updates is over and how much is left, and curves between two values."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._types import ScalarLike


def cosine_between(
    initial: ScalarLike, final: ScalarLike, done: Float[Array, "*dims"], left: Float[Array, "*dims"]
) -> Float[Array, "*dims"]:
    """Returns half a cosine wave from `initial`, where `done` is 0, to `final`, where it is 1.

    It is `final + (initial - final) * (1 + cos(pi * done)) / 2`. It is computed with the weights
    `sin(pi / 2 * left)**2` and `sin(pi / 2 * done)**2`, because the formula with differences loses
    digits near the end. `progress` computes `done` and `left`, which is 1 - `done`.

    Example:
        >>> done = jnp.array([0.0, 0.25, 0.5, 1.0])
        >>> cosine_between(1.0, 0.2, done, 1 - done).round(3)
        Array([1.   , 0.883, 0.6  , 0.2  ], dtype=float32)
    """
    before, after = jnp.sin(jnp.pi / 2 * left) ** 2, jnp.sin(jnp.pi / 2 * done) ** 2
    return jnp.float32(initial) * before + jnp.float32(final) * after


def polynomial_between(
    initial: ScalarLike,
    final: ScalarLike,
    done: Float[Array, "*dims"],
    left: Float[Array, "*dims"],
    power: ScalarLike,
) -> Float[Array, "*dims"]:
    """Returns `final + (initial - final) * left**power`; `done` and `left` are from `progress`.

    It is computed as `initial * left**power + final * (1 - left**power)`, and the second weight is
    computed without the difference, which would lose digits.

    Example:
        >>> done = jnp.array([0.0, 0.5, 1.0])
        >>> polynomial_between(1.0, 0.2, done, 1 - done, 2.0)
        Array([1. , 0.4, 0.2], dtype=float32)
    """
    exponent = jnp.float32(power)
    before = jnp.power(left, exponent)
    # 1 - before would lose digits while `done` is small, and so would log(left).
    early, late = jnp.log1p(-jnp.minimum(done, 0.5)), jnp.log(jnp.where(left > 0, left, 1))
    after = -jnp.expm1(exponent * jnp.where(done < 0.5, early, late))
    after = jnp.where(left > 0, after, 1 - before)
    return jnp.float32(initial) * before + jnp.float32(final) * after


def progress(count: Array, total: ScalarLike) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Returns which fraction of `total` updates is over at `count`, and which is left.

    Their sum is 1. The number of updates left is computed in integers, so that both fractions keep
    all their digits at both ends, while `1 - done` would lose digits. If `total` is 0, everything
    is over.

    Example:
        >>> [tuple(map(float, progress(jnp.int32(count), 4))) for count in (0, 1, 4, 9)]
        [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0), (1.0, 0.0)]
        >>> tuple(map(float, progress(jnp.int32(0), 0)))
        (1.0, 0.0)
    """
    end = jnp.asarray(total, count.dtype)
    elapsed = jnp.minimum(count, end)
    length = jnp.float32(jnp.maximum(end, 1))
    done = jnp.float32(jnp.where(end > 0, elapsed, 1)) / length
    return done, jnp.float32(end - elapsed) / length
