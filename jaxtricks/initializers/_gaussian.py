"""The same Gaussian for every layer."""

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import ScalarLike

from jaxtricks._checks import check_range


def gaussian(*, std: ScalarLike | None = None, var: ScalarLike | None = None) -> Initializer:
    r"""Draws $\mathcal N(0, \sigma^2)$ whatever the layer's size.

    The notes write "N(0, 0.01)" for a *standard deviation* of 0.01: their histograms collapse to 0
    only so. Read as a variance, 0.01 keeps a network of width 500 alive. Say which is meant.

    Args:
        std: $\sigma$, at least 0.
        var: $\sigma^2$, at least 0; one of the two is given.

    Raises:
        ValueError: both or neither are given, or one is negative or not finite.

    Example:
        >>> draw = gaussian(var=0.01)
        >>> round(float(draw(jax.random.key(0), (500, 500)).std()), 3)
        0.1

    References:
        S-INI-01, S-INI-02, S-INI-10, erratum E-09; notes 004:323-338, 548.
    """
    if (std is None) == (var is None):
        raise ValueError(f"exactly one of std and var must be given, got std={std} and var={var}.")
    if std is not None:
        check_range("std", std, low=0.0)
        return jax.nn.initializers.normal(std)
    check_range("var", var, low=0.0)
    return jax.nn.initializers.normal(jnp.sqrt(var))
