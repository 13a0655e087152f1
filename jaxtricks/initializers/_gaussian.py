"""An initializer with the same Gaussian for every layer."""

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike


def gaussian(*, std: ScalarLike | None = None, var: ScalarLike | None = None) -> Initializer:
    r"""Makes an initializer that draws from $\mathcal N(0, \sigma^2)$, whatever the layer's size.

    Some texts write "N(0, 0.01)" for a standard deviation of 0.01, others for a variance of 0.01,
    which is a standard deviation of 0.1. In ten tanh layers of 500 units the standard deviation
    0.01 makes the values shrink to 0, but the variance 0.01 does not. Here the name of the argument
    says which one is meant.

    Args:
        std: $\sigma$, at least 0. Exactly one of `std` and `var` must be given.
        var: $\sigma^2$, at least 0.

    Raises:
        ValueError: both or neither are given, or the given one is negative or not finite.

    Example:
        >>> draw = gaussian(var=0.01)
        >>> round(float(draw(jax.random.key(0), (500, 500)).std()), 3)
        0.1

    References:
        Krizhevsky et al., [ImageNet classification with deep convolutional neural
        networks](https://doi.org/10.1145/3065386), 2012, section 5, with the standard deviation
        0.01.
    """
    if (std is None) == (var is None):
        raise ValueError(f"exactly one of std and var must be given, got std={std} and var={var}.")
    if std is not None:
        check_range("std", std, low=0.0)
        return jax.nn.initializers.normal(std)
    check_range("var", var, low=0.0)
    return jax.nn.initializers.normal(jnp.sqrt(var))
