"""A linear regression in which few features are frequent and most are rare, as words are."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_integer, check_key, check_range
from jaxtricks._types import ScalarLike


class SparseFeatures(NamedTuple):
    """The result of `random_sparse_features`.

    Attributes:
        inputs: `[examples, features]`, 1 where a feature is present and 0 elsewhere.
        targets: `[examples]`, the inputs times the true weights, plus noise.
        weights: `[features]`, the true weights.
        frequencies: `[features]`, the probability that each feature is present in an example; it
            falls, or stays equal, from each feature to the next.
    """

    inputs: Float[Array, "examples features"]
    targets: Float[Array, " examples"]
    weights: Float[Array, " features"]
    frequencies: Float[Array, " features"]


def random_sparse_features(
    key: Key[Array, ""],
    examples: int,
    features: int,
    *,
    exponent: ScalarLike = 1.0,
    highest: ScalarLike = 0.5,
    noise: ScalarLike = 0.0,
) -> SparseFeatures:
    r"""Draws a linear regression in which feature $j$ is present with probability $c / j^s$.

    The features are independent of each other. The true weights are standard normal, so a rare
    feature, when it is present, matters as much as a frequent one. Pass `inputs` and `targets` to
    `least_squares`.

    Args:
        key: a random key.
        examples: number of examples, at least 1.
        features: number of features, at least 1.
        exponent: $s$, at least 0; 1 is Zipf's law, and 0 makes all features equally frequent.
        highest: $c$, the probability of the first feature, in `[0, 1]`.
        noise: standard deviation of the Gaussian noise that is added to the targets, at least 0.

    Raises:
        ValueError: an argument is out of range, or `inputs` would have more than $2^{40}$ entries.
        TypeError: `key` is not a typed key, or a number has the wrong type.

    Example:
        >>> data = random_sparse_features(jax.random.key(0), 1000, 100)
        >>> data.inputs[:, jnp.array([0, 9, 99])].mean(axis=0).round(2).tolist()
        [0.5..., 0.0..., 0.0...]

    References:
        Duchi et al., [Adaptive subgradient methods](https://jmlr.org/papers/v12/duchi11a.html),
        2011, section 1.
    """
    check_key("key", key)
    check_integer("examples", examples, low=1)
    check_integer("features", features, low=1)
    check_array_size("features", features, (examples, features))
    check_range("exponent", exponent, low=0.0)
    check_range("highest", highest, low=0.0, high=1.0)
    check_range("noise", noise, low=0.0)
    weight_key, presence_key, noise_key = jax.random.split(key, 3)
    weights = jax.random.normal(weight_key, (features,))
    frequencies = highest * jnp.arange(1, features + 1, dtype=weights.dtype) ** -exponent
    present = jax.random.bernoulli(presence_key, frequencies[None, :], (examples, features))
    inputs = present.astype(weights.dtype)
    targets = inputs @ weights + noise * jax.random.normal(noise_key, (examples,))
    return SparseFeatures(inputs, targets, weights, frequencies)
