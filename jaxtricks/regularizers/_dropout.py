"""Dropout: setting units to zero at random."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_flag, check_instance, check_key, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._bernoulli_mask import bernoulli_mask


def dropout(
    key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
) -> Float[Array, "*shape"]:
    r"""Sets each entry to 0 with probability `rate` and divides the others by `1 - rate`.

    $y_i = r_i x_i / (1 - p)$ with $r_i \sim \mathrm{Bernoulli}(1 - p)$. The expected value of $y_i$
    is $x_i$, so nothing has to be rescaled in evaluation (inverted dropout). The gradient of a
    dropped entry is 0.

    The probability is rounded to a multiple of $2^{-16}$, and the entries are divided by the
    rounded one: a rate within $2^{-17}$ of 1 drops everything.

    Args:
        key: draws the mask; the same key, shape and rate give the same mask on any devices.
        x: activations of any shape.
        rate: $p$, the probability of dropping, in `[0, 1]`; it may be traced. At 1 the result is 0.
            The gradients by `x` and by the rate are finite in the whole range.

    Returns:
        An array with the shape and dtype of `x`.

    Raises:
        ValueError: the rate is out of range, or `key` is an array of keys.
        TypeError: `key` is not a typed key, or `x` not a floating array.

    Example:
        >>> dropout(jax.random.key(0), jnp.ones(8), 0.5).tolist()
        [2.0, 2.0, 2.0, 0.0, 0.0, 2.0, 0.0, 2.0]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_key("key", key)
    check_floating("x", x)
    x = jnp.asarray(x)
    mask, probability = bernoulli_mask(key, x.shape, rate)
    some = probability > 0
    scale = jnp.where(some, 1 / jnp.where(some, probability, 1), 0)
    wide = x.astype(wide_dtype(x.dtype))
    return jnp.where(mask, wide * scale.astype(wide.dtype), 0).astype(x.dtype)


class Dropout(nn.Module):
    """Applies `dropout` in training and returns its input unchanged in evaluation.

    Every layer, and every call of a layer, draws its own mask from the stream `rng_collection`. The
    stream `"params"` is never used instead, so initialise a model with `train=False`, or give
    `init` a key for the stream too. Flax's old-style keys (`jax.random.PRNGKey`) are accepted.

    Attributes:
        rate: probability of dropping, in `[0, 1]`. At 0 nothing is drawn and no key is needed.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: the rate is out of range, the stream is `"params"`, or, when called in training,
            `rngs` has no key for the stream.
        TypeError: `rng_collection` is not a string, or, when called, `train` is not a bool or the
            input not a floating array.

    Example:
        >>> layer = Dropout(0.5)
        >>> layer.apply({}, jnp.ones(4), train=False).tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> rngs = {"dropout": jax.random.key(0)}
        >>> layer.apply({}, jnp.ones(4), train=True, rngs=rngs).tolist()
        [2.0, 0.0, 2.0, 0.0]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014.
    """

    rate: ScalarLike = 0.5
    rng_collection: str = "dropout"

    def __post_init__(self) -> None:
        check_range("rate", self.rate, low=0.0, high=1.0)
        check_instance("rng_collection", self.rng_collection, str)
        if self.rng_collection == "params":
            raise ValueError("rng_collection must be a stream of its own, got 'params'.")
        super().__post_init__()

    def __call__(
        self, x: Float[Array, "*shape"], *, train: bool, rate: ScalarLike | None = None
    ) -> Float[Array, "*shape"]:
        """Drops entries in training.

        Args:
            x: activations of any shape.
            train: whether to drop.
            rate: used for this call instead of the layer's own; it may be traced, so a schedule or
                a search can change it.
        """
        check_flag("train", train)
        check_floating("x", x)
        rate = self.rate if rate is None else rate
        check_range("rate", rate, low=0.0, high=1.0)
        if not train or (not isinstance(rate, jax.core.Tracer) and rate == 0):
            return x
        stream = self.rng_collection
        if not self.has_rng(stream):
            raise ValueError(
                f'{stream} needs a key in training: pass rngs={{"{stream}": key}} to apply, and '
                f'split_rngs={{"{stream}": True}} to nn.scan or nn.vmap around the layer.'
            )
        key = self.make_rng(stream)
        if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            key = jax.random.wrap_key_data(key)
        return dropout(key, x, rate)
