"""Gaussian dropout: multiplying units by random numbers about 1."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_key, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._random_layer import RandomLayer


def gaussian_dropout(
    key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
) -> Float[Array, "*shape"]:
    r"""Multiplies each entry by a draw of $N(1, p / (1 - p))$.

    $y_i = s_i x_i$ has the mean $x_i$ and the variance $x_i^2 p / (1 - p)$, which are those of
    inverted dropout at the same rate, but no entry becomes 0. In evaluation nothing has to be
    rescaled.

    Args:
        key: draws the factors.
        x: activations of any shape.
        rate: $p$, in `[0, 1)`; it may be traced. The deviation of the factors is
            $\sqrt{p / (1 - p)}$.

    Returns:
        An array with the shape and dtype of `x`.

    Raises:
        ValueError: the rate is out of range, or `key` is an array of keys.
        TypeError: `key` is not a typed key, or `x` not a floating array.

    Example:
        >>> y = gaussian_dropout(jax.random.key(0), jnp.ones(100_000), 0.2)
        >>> round(float(jnp.mean(y)), 2), round(float(jnp.var(y)), 2)  # 1 and 0.2 / 0.8
        (1.0, 0.25)

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 10; `GaussianDropout` of
        Keras.
    """
    check_rate(rate)
    check_key("key", key)
    check_floating("x", x)
    x = jnp.asarray(x)
    wide = x.astype(wide_dtype(x.dtype))
    rate = jnp.asarray(rate, wide.dtype)
    some = rate != 0  # the root's slope at 0 is infinite; out of range it is NaN
    deviation = jnp.where(some, jnp.sqrt(jnp.where(some, rate / (1 - rate), 1)), 0)
    return (wide * (1 + deviation * jax.random.normal(key, x.shape, wide.dtype))).astype(x.dtype)


def check_rate(rate: ScalarLike) -> None:
    """Checks that a rate is in `[0, 1)`, in the single precision in which it is computed with."""
    check_range("rate", rate, low=0.0, below=1.0)
    if not isinstance(rate, jax.core.Tracer):
        check_range("rate", np.float32(rate), below=1.0)


class GaussianDropout(RandomLayer):
    """Applies `gaussian_dropout` in training and returns its input unchanged in evaluation.

    Stream and keys are those of `Dropout`.

    Attributes:
        rate: $p$, in `[0, 1)`. At 0 nothing is drawn and no key is needed.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: the rate is out of range, the stream is `"params"`, or, when called in training,
            `rngs` has no key for the stream.
        TypeError: `rng_collection` is not a string, or, when called, `train` is not a bool or the
            input not a floating array.

    Example:
        >>> GaussianDropout(0.5).apply({}, jnp.ones(2), train=False).tolist()
        [1.0, 1.0]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 10.
    """

    rate: ScalarLike = 0.5
    rng_collection: str = "dropout"

    def check_rate(self, rate: ScalarLike) -> None:
        check_rate(rate)

    def drawn(
        self, key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
    ) -> Float[Array, "*shape"]:
        return gaussian_dropout(key, x, rate)
