"""The ends of a loss's curvature, without its Hessian."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from jaxtricks._checks import check_function, check_integer, check_key


def hessian_eigenvalues(
    loss: Callable[[Any], Array], params: PyTree, key: Key[Array, ""], *, steps: int = 30
) -> Float[Array, " steps"]:
    r"""Gives the Ritz values of the Hessian after Lanczos' iteration, in increasing order.

    The last one approaches the largest eigenvalue from below, the first one the smallest from
    above, and the ends converge first. Each of the `steps` is one product of the Hessian with a
    vector, at the price of a few gradients; every new direction is made orthogonal to all those
    before, which takes `steps` copies of the parameters. With as many steps as parameters these
    are all the eigenvalues.

    Args:
        loss: from parameters to a scalar; what it averages over is the caller's choice.
        params: where the curvature is taken.
        key: draws the first direction.
        steps: at most the number of parameters.

    Raises:
        ValueError: `steps` is under 1, or over the number of parameters.
        TypeError: `steps` is no integer, `loss` no function, or `key` no typed key.

    Example:
        >>> scales = jnp.array([1.0, 5.0, -2.0])
        >>> def loss(x):
        ...     return 0.5 * jnp.sum(scales * x**2)
        >>> hessian_eigenvalues(loss, jnp.ones(3), jax.random.key(0), steps=3).round(3).tolist()
        [-2.0, 1.0, 5.0]

    References:
        F-041, C-087; notes 004:301-304.
        Ghorbani et al., [Eigenvalue density](https://arxiv.org/abs/1901.10159), 2019.
    """
    check_function("loss", loss)
    check_key("key", key)
    check_integer("steps", steps, low=1)
    flat, unravel = ravel_pytree(params)
    if steps > flat.size:
        raise ValueError(f"steps must be at most the {flat.size} parameters, got {steps}.")
    gradient = jax.grad(lambda x: loss(unravel(x)))

    def lanczos(carry: tuple[Array, Array], step: Array) -> tuple[tuple[Array, Array], Any]:
        basis, direction = carry
        basis = basis.at[step].set(direction)
        product = jax.jvp(gradient, (flat,), (direction,))[1]
        along = jnp.vdot(direction, product)
        for _ in range(2):  # once loses orthogonality to rounding
            product -= (basis @ product) @ basis
        length = jnp.linalg.norm(product)
        # Where the space is exhausted, zeros: they add eigenvalues 0 only behind a coupling of 0.
        following = jnp.where(length > 0, product / jnp.where(length > 0, length, 1), 0)
        return (basis, following), (along, length)

    first = jax.random.normal(key, flat.shape, flat.dtype)
    start = jnp.zeros((steps, flat.size), flat.dtype), first / jnp.linalg.norm(first)
    _, (along, across) = jax.lax.scan(lanczos, start, jnp.arange(steps))
    return jnp.linalg.eigvalsh(
        jnp.diag(along) + jnp.diag(across[:-1], 1) + jnp.diag(across[:-1], -1)
    )
