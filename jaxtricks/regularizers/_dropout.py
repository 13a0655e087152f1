"""Switching units off at random."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, ScalarLike

from jaxtricks._checks import check_flag, check_floating, check_key, check_range

DIGITS = 16


def dropout(
    key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
) -> Float[Array, "*shape"]:
    r"""Zeroes each entry with probability `rate` and divides the others by `1 - rate`.

    $y_i = r_i x_i / (1 - p)$ with $r_i \sim \mathrm{Bernoulli}(1 - p)$: the expected value is
    $x_i$, so nothing changes at test time (inverted dropout). A dropped entry has no gradient.

    The probability is rounded to a multiple of 2^-16, and costs as many random bits an entry as it
    has binary digits: 1 at the rate 0.5, 15 at 0.1, 16 when it is traced.

    Args:
        key: draws the mask; the same key, shape and rate give the same mask on any devices.
        x: activations.
        rate: $p$, the probability of dropping, in `[0, 1]`; it may be traced. 1 gives zeros, with
            a gradient that is finite, also by the rate.

    Raises:
        ValueError: the rate is out of range.
        TypeError: the key is no typed one, or `x` no floating array.

    Example:
        >>> dropout(jax.random.key(0), jnp.ones(8), 0.5).tolist()
        [2.0, 2.0, 2.0, 0.0, 0.0, 2.0, 0.0, 2.0]

    References:
        S-REG-12, S-REG-14; notes 000:50, 001:79-92.
        Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_key("key", key)
    check_floating("x", x)
    x = jnp.asarray(x)
    some = rate < 1
    scale = jnp.where(some, 1 / (1 - jnp.where(some, rate, 0.0)), 0.0)
    return jnp.where(kept(key, x.shape, rate), x * scale, 0).astype(x.dtype)


def kept(key: Key[Array, ""], shape: tuple[int, ...], rate: ScalarLike) -> Bool[Array, "*shape"]:
    """True with probability `1 - rate`, whose binary digits say how random bits are combined.

    With the digits d_1 d_2 ... after the point and fair bits b_1 b_2 ..., "b_1 or what follows"
    where d_1 is 1 and "b_1 and what follows" where it is 0 has that probability. A word holds the
    bits of 32 neighbours on the last axis; trailing zeros need no bits.
    """
    xp = jnp if isinstance(rate, jax.core.Tracer) else np
    share = xp.round((1 - xp.asarray(rate, xp.float32)) * 2**DIGITS).astype(xp.uint32)
    digits = share >> xp.arange(DIGITS, dtype=xp.uint32)[::-1] & 1 != 0
    if xp is np:
        digits = np.trim_zeros(digits, "b")
    *rows, last = shape or (1,)
    words = jax.random.bits(key, (len(digits), *rows, -(-last // 32)), jnp.uint32)

    def combine(mask: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        digit, word = row
        return jnp.where(digit, word | mask, word & mask), None

    mask = jnp.zeros(words.shape[1:], jnp.uint32)  # in a loop: fused, it is redone for each bit
    mask, _ = jax.lax.scan(combine, mask, (digits, words), reverse=True)
    places = jax.lax.broadcasted_iota(jnp.uint32, (*mask.shape, 32), mask.ndim)
    bits = (mask[..., None] >> places) & 1
    drawn = bits.reshape(*rows, mask.shape[-1] * 32)[..., :last].reshape(shape)
    return (drawn != 0) | (share == 2**DIGITS)


class Dropout(nn.Module):
    """`dropout` in training, else the identity. Draws from the stream `"dropout"`.

    Every layer, and every call of a layer, draws its own mask. A model is initialised with
    `train=False`, or with a key for the stream too: the stream `"params"` is never used instead.

    Attributes:
        rate: probability of dropping, in `[0, 1]`. At 0 nothing is drawn and no key needed.

    Raises:
        ValueError: the rate is out of range, or, when called in training, the stream is missing.
        TypeError: when called, `train` is no bool.

    Example:
        >>> layer = Dropout(0.5)
        >>> layer.apply({}, jnp.ones(4), train=False).tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> rngs = {"dropout": jax.random.key(0)}
        >>> layer.apply({}, jnp.ones(4), train=True, rngs=rngs).tolist()
        [2.0, 0.0, 2.0, 0.0]

    References:
        S-REG-12, S-MOD-01, S-MOD-05; notes 000:50-71, 001:79-113.
    """

    rate: ScalarLike = 0.5

    def __post_init__(self) -> None:
        check_range("rate", self.rate, low=0.0, high=1.0)
        super().__post_init__()

    def __call__(
        self, x: Float[Array, "*shape"], *, train: bool, rate: ScalarLike | None = None
    ) -> Float[Array, "*shape"]:
        """Drops in training.

        Args:
            x: activations.
            train: whether to drop.
            rate: for this call instead of the layer's own; it may be traced, so a schedule or a
                search can change it.
        """
        check_flag("train", train)
        rate = self.rate if rate is None else rate
        check_range("rate", rate, low=0.0, high=1.0)
        if not train or (not isinstance(rate, jax.core.Tracer) and rate == 0):
            return x
        if not self.has_rng("dropout"):
            raise ValueError('dropout needs a key in training: pass rngs={"dropout": key}.')
        return dropout(self.make_rng("dropout"), x, rate)
