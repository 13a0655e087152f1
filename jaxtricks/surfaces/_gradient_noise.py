"""A surface whose gradient is as noisy as that of a mini-batch."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import real_array
from jaxtricks._checks import check_key, check_range, shown
from jaxtricks._types import ArrayLike, ScalarLike
from jaxtricks.surfaces._surface import scalar_loss


def with_gradient_noise(
    surface: Callable[[Array], Float[Array, ""]],
    covariance: ArrayLike | Sequence[ScalarLike],
    *,
    batch_size: ScalarLike = 1,
) -> Callable[[Key[Array, ""], Array], Float[Array, ""]]:
    r"""Makes a function `(key, x) -> loss` with the noisy gradient $\nabla f(x) + \varepsilon$.

    $\varepsilon \sim N(0, \Sigma / B)$ models the noise of the mean gradient of $B$ examples that
    are drawn with replacement. Unlike in training, its distribution is the same at each point. The
    loss itself is $f(x)$ without noise.

    Args:
        surface: the objective $f$, a function `x -> scalar` of an array.
        covariance: $\Sigma$, the covariance of the gradient of one example: a number (times the
            identity), a list of variances, or a symmetric positive semidefinite matrix.
        batch_size: $B$, above 0; it need not be an integer, and may be traced.

    Raises:
        ValueError: a variance is negative, the matrix is not square, symmetric and positive
            semidefinite, or `batch_size` is not positive; when the function is called, the length
            of `x` is not that of `covariance`.
        TypeError: `surface` is not a function of `x`, or `covariance` does not consist of real
            numbers.

    Example:
        >>> noisy = with_gradient_noise(lambda x: jnp.sum(x**2), 1.0, batch_size=100)
        >>> print(noisy(jax.random.key(0), jnp.ones(2)))
        2.0
        >>> noise = jax.grad(noisy, argnums=1)(jax.random.key(0), jnp.ones(2)) - 2
        >>> bool((abs(noise) > 0).all() and (abs(noise) < 0.5).all())
        True

    References:
        Mandt et al., [Stochastic gradient descent as approximate Bayesian
        inference](https://arxiv.org/abs/1704.04289), 2017.
    """
    loss_of = scalar_loss(surface, "x")
    check_range("batch_size", batch_size, above=0.0)
    root = _covariance_root(covariance)

    def loss(key: Key[Array, ""], x: Array) -> Float[Array, ""]:
        check_key("key", key)
        x = jnp.asarray(x)
        if root.ndim and x.shape != root.shape[:1]:
            raise ValueError(
                f"x must have the length of covariance, {len(root)}, got the shape {x.shape}."
            )
        scale = jnp.asarray(root / jnp.sqrt(batch_size), x.dtype)
        normal = jax.random.normal(key, x.shape, x.dtype)
        noise = scale @ normal if scale.ndim == 2 else scale * normal
        return loss_of(x) + jnp.sum(noise * (x - jax.lax.stop_gradient(x)))

    return loss


def _covariance_root(covariance: ArrayLike | Sequence[ScalarLike]) -> Array:
    """Returns standard deviations, or a matrix `R` with `R @ R.T == covariance`."""
    matrix = real_array("covariance", covariance)
    if matrix.size == 0:
        raise ValueError(f"covariance must not be empty, got {shown(covariance)}.")
    matrix = matrix.astype(jnp.result_type(matrix, float))
    concrete = not any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(covariance))
    if matrix.ndim < 2:
        values = np.asarray(covariance) if concrete else np.zeros(())
        if not np.all((values >= 0) & np.isfinite(values)):
            raise ValueError(f"covariance must be finite and at least 0, got {shown(covariance)}.")
        return jnp.sqrt(matrix)
    if matrix.ndim > 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"covariance must be a square matrix, got the shape {matrix.shape}.")
    if concrete and not _is_covariance(np.asarray(covariance)):
        raise ValueError(
            f"covariance must be symmetric and positive semidefinite, got {covariance}."
        )
    values, vectors = jnp.linalg.eigh(matrix)
    return vectors * jnp.sqrt(jnp.maximum(values, 0))[None, :]


def _is_covariance(matrix: np.ndarray) -> bool:
    """Says whether a matrix is symmetric and positive semidefinite, up to rounding.

    It uses NumPy, because `jnp` functions of constants are traced under `jit`.
    """
    values = np.linalg.eigvalsh(matrix)
    slack = 1e-5 * np.max(np.abs(values))
    return bool(np.allclose(matrix, matrix.T) and np.all(values >= -slack))
