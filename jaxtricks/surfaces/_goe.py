"""Random symmetric matrices, as a model of Hessians."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_integer, check_key


def random_goe(key: Key[Array, ""], dimension: int) -> Float[Array, "n n"]:
    r"""Draws a symmetric matrix from the Gaussian orthogonal ensemble.

    $A = (G + G^T) / \sqrt 2$ with standard normal entries of $G$. The entries of $A$ have variance
    1 off the diagonal and 2 on it. For large $n$ the eigenvalues fill $\pm 2 \sqrt n$. All
    eigenvalues are positive with probability $1/2$, $(2 - \sqrt 2)/4$ and
    $(\pi - 2 \sqrt 2)/(4 \pi)$ for $n$ = 1, 2 and 3, and about $3^{-n^2/4}$ for large $n$. So if
    $A$ is a model of the Hessian at a critical point, almost every critical point of a function of
    many variables is a saddle.

    Args:
        key: a random key.
        dimension: $n$, the number of rows and columns, at least 1.

    Raises:
        ValueError: `dimension` is under 1, or the matrix would have more than $2^{40}$ entries.
        TypeError: `key` is not a typed key, or `dimension` is not an integer.

    Example:
        >>> matrix = random_goe(jax.random.key(0), 3)
        >>> matrix.shape, bool((matrix == matrix.T).all())
        ((3, 3), True)

    References:
        Dean and Majumdar, [Large deviations of extreme eigenvalues of random
        matrices](https://arxiv.org/abs/cond-mat/0609651), 2006; Dauphin et al., [Identifying and
        attacking the saddle point problem](https://arxiv.org/abs/1406.2572), 2014.
    """
    check_key("key", key)
    check_integer("dimension", dimension, low=1)
    check_array_size("dimension", dimension, (dimension, dimension))
    gaussian = jax.random.normal(key, (dimension, dimension))
    return (gaussian + gaussian.T) / jnp.sqrt(2.0)
