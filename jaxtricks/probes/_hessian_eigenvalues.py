"""The largest and smallest eigenvalues of a loss's Hessian, from Hessian-vector products."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from jaxtricks._checks import check_integer, check_key
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.probes._norm import norm
from jaxtricks.probes._scalar import scalar

ROUNDING = 50  # a remainder of up to this many machine epsilons counts as 0


def hessian_eigenvalues(
    key: Key[Array, ""], loss: Callable[[Any], Array], params: PyTree, *, steps: int = 30
) -> Float[Array, " steps"]:
    r"""Approximates eigenvalues of the Hessian of `loss` by Lanczos iteration.

    The result holds the approximations, called Ritz values, in increasing order. With more steps
    the last one approaches the largest eigenvalue from below and the first one the smallest
    eigenvalue from above; these two converge first. Each step computes one product of the Hessian
    with a vector, which costs a few gradients, and makes the product orthogonal to all earlier
    directions. That takes memory for `steps` copies of the parameters in float32 or wider. If no
    new direction is left, as with repeated eigenvalues or few examples, the iteration continues
    from another random direction. With as many steps as parameters the result holds all the
    eigenvalues.

    Args:
        key: random key for the directions.
        loss: a function of the parameters whose value is a scalar.
        params: the parameters at which the Hessian is taken.
        steps: number of Lanczos steps, from 1 to the number of parameters.

    Returns:
        `steps` Ritz values, float32 or wider.

    Raises:
        ValueError: `steps` is under 1 or above the number of parameters, `params` is empty, or
            `key` is an array of keys.
        TypeError: `steps` is not an integer, `loss` is not a function or its value is not a scalar,
            `key` is not a typed key, or a parameter is not floating.

    Example:
        >>> scales = jnp.array([1.0, 5.0, -2.0])
        >>> def loss(x):
        ...     return 0.5 * jnp.sum(scales * x**2)
        >>> hessian_eigenvalues(jax.random.key(0), loss, jnp.ones(3), steps=3).round(3).tolist()
        [-2.0, 1.0, 5.0]

    References:
        Ghorbani et al., [Eigenvalue density](https://arxiv.org/abs/1901.10159), 2019.
    """
    loss = scalar(loss)
    check_floating_tree("params", params)
    check_key("key", key)
    check_integer("steps", steps, low=1)
    given, unravel = ravel_pytree(params)
    if not given.size:
        raise ValueError("params must not be empty.")
    if steps > given.size:
        raise ValueError(f"steps must be at most the {given.size} parameters, got {steps}.")
    flat = given.astype(wide_dtype(given.dtype))
    gradient = jax.grad(lambda x: loss(unravel(x.astype(given.dtype))))
    tolerance = ROUNDING * jnp.finfo(flat.dtype).eps

    def drawn(step: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(key, step), flat.shape, flat.dtype)

    def apart(basis: Array, vector: Array) -> Array:
        for _ in range(2):  # rounding spoils the orthogonality of a single pass
            along = jnp.matmul(basis, vector, precision="highest")
            vector -= jnp.matmul(along, basis, precision="highest")
        return vector

    def lanczos(carry: tuple[Array, ...], step: Array) -> tuple[tuple[Array, ...], Any]:
        basis, direction, largest = carry
        basis = basis.at[step].set(direction)
        product = jax.jvp(gradient, (flat,), (direction,))[1]
        along = jnp.vdot(direction, product, precision="highest")
        largest = jnp.maximum(largest, norm(product))
        product = apart(basis, product)
        length = norm(product)
        ended = length <= tolerance * largest
        other = jax.lax.cond(ended[0], lambda: apart(basis, drawn(step + 1)), lambda: product)
        return (basis, unit(other), largest), (along, jnp.where(ended, 0, length)[0])

    first = unit(drawn(jnp.zeros((), jnp.int32)))
    start = jnp.zeros((steps, flat.size), flat.dtype), first, jnp.zeros(1, flat.dtype)
    _, (along, across) = jax.lax.scan(lanczos, start, jnp.arange(steps))
    return jnp.linalg.eigvalsh(
        jnp.diag(along) + jnp.diag(across[:-1], 1) + jnp.diag(across[:-1], -1)
    )


def unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """Scales a vector to length 1; a zero vector stays zero."""
    length = norm(vector)
    return vector / jnp.where(length > 0, length, 1)
