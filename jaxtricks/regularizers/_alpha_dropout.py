"""Alpha dropout: dropout that keeps the mean and the variance of standardised units."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_key, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._bernoulli_mask import bernoulli_mask
from jaxtricks.regularizers._random_layer import RandomLayer

SATURATED = -1.7580993408473766  # what SELU tends to on the left, - lambda alpha


def alpha_dropout(
    key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
) -> Float[Array, "*shape"]:
    r"""Sets each entry to SELU's limit with probability `rate`, then corrects mean and variance.

    $y_i = a (r_i x_i + (1 - r_i) \alpha') + b$ with $r_i \sim \mathrm{Bernoulli}(q)$, $q = 1 - p$,
    $\alpha' = -\lambda \alpha \approx -1.758$, $a = (q + \alpha'^2 q p)^{-1/2}$ and
    $b = -a p \alpha'$. Inputs with mean 0 and variance 1, as SELU makes them, keep both. At the
    rate 1 the result is 0, as in PyTorch.

    Args:
        key: draws the mask; the same key, shape and rate give the mask of `dropout`.
        x: activations of any shape.
        rate: $p$, the probability of dropping, in `[0, 1]`, rounded as that of `dropout`; it may be
            traced.

    Returns:
        An array with the shape and dtype of `x`.

    Raises:
        ValueError: the rate is out of range, or `key` is an array of keys.
        TypeError: `key` is not a typed key, or `x` not a floating array.

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
    some = q != 0  # NaN, of a rate that is out of range, stays
    variance = jnp.where(some, q + SATURATED**2 * q * (1 - q), 1)
    scale = jnp.where(some, 1 / jnp.sqrt(variance), 0)
    return (scale * (jnp.where(mask, wide, SATURATED) - (1 - q) * SATURATED)).astype(x.dtype)


class AlphaDropout(RandomLayer):
    """Applies `alpha_dropout` in training and returns its input unchanged in evaluation.

    It belongs behind `jax.nn.selu` in networks whose first weights have the variance 1 / inputs
    (`initializers.lecun`). Stream and keys are those of `Dropout`.

    Attributes:
        rate: probability of dropping, in `[0, 1]`. At 0 nothing is drawn and no key is needed.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: the rate is out of range, the stream is `"params"`, or, when called in training,
            `rngs` has no key for the stream.
        TypeError: `rng_collection` is not a string, or, when called, `train` is not a bool or the
            input not a floating array.

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
