"""The trace of a loss's Hessian, from Hessian-vector products."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from jaxtricks._checks import check_integer, check_key
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.probes._scalar import scalar


def hessian_trace(
    key: Key[Array, ""], loss: Callable[[Any], Array], params: PyTree, *, draws: int = 100
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Estimates the trace of the Hessian $H$ of `loss` by Hutchinson's method.

    The estimate is the mean of $v^\top H v$ over random vectors $v$, whose entries are 1 or -1 with
    equal probability, so that $\mathbb E[v v^\top] = I$. Only the off-diagonal entries of $H$ cause
    an error; for a diagonal Hessian every draw is exact.

    Args:
        key: random key for the vectors.
        loss: a function of the parameters whose value is a scalar.
        params: the parameters at which the Hessian is taken.
        draws: number of random vectors, at least 2. Each costs a product of the Hessian with a
            vector.

    Returns:
        The estimate and its standard error, scalars in float32 or wider.

    Raises:
        ValueError: `draws` is under 2, or `key` is an array of keys.
        TypeError: `draws` is not an integer, `loss` is not a function or its value is not a scalar,
            `key` is not a typed key, or a parameter is not floating.

    Example:
        >>> def loss(x):
        ...     return x[0] ** 2 + 3 * x[1] ** 2
        >>> [float(value) for value in hessian_trace(jax.random.key(0), loss, jnp.ones(2), draws=2)]
        [8.0, 0.0]

    References:
        Hutchinson, A stochastic estimator of the trace of the influence matrix, 1989.
    """
    loss = scalar(loss)
    check_floating_tree("params", params)
    check_key("key", key)
    check_integer("draws", draws, low=2)
    given, unravel = ravel_pytree(params)
    flat = given.astype(wide_dtype(given.dtype))
    gradient = jax.grad(lambda x: loss(unravel(x.astype(given.dtype))))

    def one(key: Key[Array, ""]) -> Array:
        signs = jax.random.rademacher(key, flat.shape, flat.dtype)
        return jnp.vdot(signs, jax.jvp(gradient, (flat,), (signs,))[1])

    found = jax.lax.map(one, jax.random.split(key, draws))
    return jnp.mean(found), jnp.std(found, ddof=1) / draws**0.5
