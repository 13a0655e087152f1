"""Alpha dropout: dropout that keeps the mean and variance of standardised activations."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_key, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._bernoulli_mask import bernoulli_mask
from jaxtricks.regularizers._random_layer import RandomLayer

SATURATED = -1.7580993408473766  # -lambda * alpha, the limit of SELU at minus infinity


def alpha_dropout(
    key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
) -> Float[Array, "*shape"]:
    r"""Sets each entry to SELU's limit with probability `rate`, then restores mean and variance.

    $y_i = a (r_i x_i + (1 - r_i) \alpha') + b$ with $r_i \sim \mathrm{Bernoulli}(q)$, $q = 1 - p$,
    $a = (q + \alpha'^2 q p)^{-1/2}$ and $b = -a p \alpha'$. The number
    $\alpha' = -\lambda \alpha \approx -1.758$ is the limit of SELU at minus infinity. Inputs with
    mean 0 and variance 1, as SELU is made to produce, give a result with mean 0 and variance 1. If
    the rate is 1, the result is 0, as in PyTorch.

    Args:
        key: random key of the mask. With the same key, shape and rate, `dropout` drops the same
            entries.
        x: activations of any shape.
        rate: $p$, the probability of dropping an entry, in `[0, 1]`, rounded to a multiple of
            $2^{-16}$. It may be traced; the result is NaN if a traced rate is out of range.

    Returns:
        An array of the shape and dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, or `key` is an array of keys.
        TypeError: `key` is not a typed key, or `x` is not a floating array.

    Example:
        >>> import jax
        >>> x = jax.random.normal(jax.random.key(0), (100_000,))
        >>> y = alpha_dropout(jax.random.key(1), x, 0.2)
        >>> round(abs(float(jnp.mean(y))), 2), round(float(jnp.var(y)), 2)
        (0.0, 1.0)

    References:
        Klambauer et al., [Self-normalizing neural networks](https://arxiv.org/abs/1706.02515),
        2017; PyTorch's `AlphaDropout`.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_key("key", key)
    check_floating("x", x)
    x = jnp.asarray(x)
    wide = x.astype(wide_dtype(x.dtype))
    mask, probability = bernoulli_mask(key, x.shape, rate)
    q = probability.astype(wide.dtype)
    some = q != 0  # True for NaN, which comes from a traced rate out of range
    variance = jnp.where(some, q + SATURATED**2 * q * (1 - q), 1)
    scale = jnp.where(some, 1 / jnp.sqrt(variance), 0)
    return (scale * (jnp.where(mask, wide, SATURATED) - (1 - q) * SATURATED)).astype(x.dtype)


class AlphaDropout(RandomLayer):
    """Applies `alpha_dropout` in training and returns its input unchanged in evaluation.

    Put it after `jax.nn.selu`, in a network whose weights start with variance `1 / inputs`
    (`initializers.lecun`). Training needs a random key, which `apply` takes as
    `rngs={"dropout": key}`; see `Dropout`.

    Attributes:
        rate: probability of dropping an entry, in `[0, 1]`. At 0 the layer needs no key.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: `rate` is out of range, `rng_collection` is `"params"`, or `rngs` has no key for
            the stream when the layer is called in training.
        TypeError: `rng_collection` is not a string; when the layer is called, `train` is not a bool
            or the input is not a floating array.

    Example:
        >>> AlphaDropout(0.5).apply({}, jnp.ones(2), train=False).tolist()
        [1.0, 1.0]

    References:
        Klambauer et al., [Self-normalizing neural networks](https://arxiv.org/abs/1706.02515),
        2017.
    """

    rate: ScalarLike = 0.5
    rng_collection: str = "dropout"

    def check_rate(self, rate: ScalarLike) -> None:
        check_range("rate", rate, low=0.0, high=1.0)

    def drawn(
        self, key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
    ) -> Float[Array, "*shape"]:
        return alpha_dropout(key, x, rate)
