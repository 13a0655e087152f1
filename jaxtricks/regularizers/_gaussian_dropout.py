"""Gaussian dropout: units are multiplied by normal random numbers with mean 1."""

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
    r"""Multiplies each entry by a random number from the normal distribution $N(1, p / (1 - p))$.

    $y_i = s_i x_i$ with $s_i \sim N(1, p / (1 - p))$ has the mean $x_i$ and the variance
    $x_i^2 p / (1 - p)$. Inverted dropout with the rate $p$ has the same mean and variance, but here
    no entry becomes 0. Evaluation needs no rescaling.

    Args:
        key: random key of the factors.
        x: activations of any shape.
        rate: $p$, in `[0, 1)`, the rate of the inverted dropout with the same variance; it may be
            traced. The standard deviation of the factors is $\sqrt{p / (1 - p)}$.

    Returns:
        An array of the shape and dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, or `key` is an array of keys.
        TypeError: `key` is not a typed key, or `x` is not a floating array.

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
    some = rate != 0  # the slope of the square root at 0 is infinite
    deviation = jnp.where(some, jnp.sqrt(jnp.where(some, rate / (1 - rate), 1)), 0)
    return (wide * (1 + deviation * jax.random.normal(key, x.shape, wide.dtype))).astype(x.dtype)


def check_rate(rate: ScalarLike) -> None:
    """Checks that a rate is in `[0, 1)`, also after it is rounded to float32."""
    check_range("rate", rate, low=0.0, below=1.0)
    if not isinstance(rate, jax.core.Tracer):
        check_range("rate", np.float32(rate), below=1.0)


class GaussianDropout(RandomLayer):
    """Applies `gaussian_dropout` in training and returns its input unchanged in evaluation.

    Training needs a random key, which `apply` takes as `rngs={"dropout": key}`; see `Dropout`.

    Attributes:
        rate: $p$, in `[0, 1)`; see `gaussian_dropout`. At 0 the layer needs no key.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: `rate` is out of range, `rng_collection` is `"params"`, or `rngs` has no key for
            the stream when the layer is called in training.
        TypeError: `rng_collection` is not a string; when the layer is called, `train` is not a bool
            or the input is not a floating array.

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
