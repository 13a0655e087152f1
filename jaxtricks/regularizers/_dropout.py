"""Switching units off at random."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, ScalarLike

from jaxtricks._checks import check_range


def dropout(
    key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
) -> Float[Array, "*shape"]:
    r"""Zeroes each entry with probability `rate` and divides the others by `1 - rate`.

    $y_i = r_i x_i / (1 - p)$ with $r_i \sim \mathrm{Bernoulli}(1 - p)$: the expected value is
    $x_i$, so nothing changes at test time (inverted dropout). A dropped entry has no gradient.

    The probability is rounded to a multiple of 2^-16: two entries share a random word, which
    halves the cost of the mask.

    Args:
        key: draws the mask; the same key, shape and rate give the same mask on any devices.
        x: activations.
        rate: $p$, the probability of dropping, in `[0, 1]`; it may be traced. 1 gives zeros, with
            a gradient that is finite, also by the rate.

    Raises:
        ValueError: the rate is out of range.

    Example:
        >>> dropout(jax.random.key(0), jnp.ones(8), 0.5).tolist()
        [2.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]

    References:
        S-REG-12, S-REG-14; notes 000:50, 001:79-92.
        Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    some = rate < 1
    scale = jnp.where(some, 1 / (1 - jnp.where(some, rate, 0.0)), 0.0)
    return jnp.where(kept(key, x.shape, rate), x * scale, 0).astype(x.dtype)


def kept(key: Key[Array, ""], shape: tuple[int, ...], rate: ScalarLike) -> Bool[Array, "*shape"]:
    """True with probability `1 - rate`, from 16 bits each; neighbours on the last axis share."""
    *rows, last = shape or (1,)
    words = jax.random.bits(key, (*rows, -(-last // 2)), jnp.uint32)
    halves = jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(*rows, words.shape[-1] * 2)
    threshold = jnp.round((1 - jnp.asarray(rate, jnp.float32)) * 2**16).astype(jnp.uint32)
    return (halves[..., :last].astype(jnp.uint32) < threshold).reshape(shape)


class Dropout(nn.Module):
    """`dropout` in training, else the identity. Draws from the stream `"dropout"`.

    Every layer, and every call of a layer, draws its own mask. A model is initialised with
    `train=False`, or with a key for the stream too: the stream `"params"` is never used instead.

    Attributes:
        rate: probability of dropping, in `[0, 1]`. At 0 nothing is drawn and no key needed.

    Raises:
        ValueError: the rate is out of range, or, when called in training, the stream is missing.

    Example:
        >>> layer = Dropout(0.5)
        >>> layer.apply({}, jnp.ones(4), train=False).tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> rngs = {"dropout": jax.random.key(1)}
        >>> layer.apply({}, jnp.ones(4), train=True, rngs=rngs).tolist()
        [0.0, 0.0, 2.0, 0.0]

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
        rate = self.rate if rate is None else rate
        check_range("rate", rate, low=0.0, high=1.0)
        if not train or (not isinstance(rate, jax.core.Tracer) and rate == 0):
            return x
        if not self.has_rng("dropout"):
            raise ValueError('dropout needs a key in training: pass rngs={"dropout": key}.')
        return dropout(self.make_rng("dropout"), x, rate)
