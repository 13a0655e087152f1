"""The loss on a plane through the parameters."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._array_checks import check_floating
from jaxtricks._tree_checks import check_floating_tree, check_real_tree, check_same_tree
from jaxtricks.probes._scalar import scalar


def loss_slice(
    loss: Callable[[Any], Array],
    params: PyTree,
    first: PyTree,
    second: PyTree,
    steps: Float[Array, " n"],
) -> Float[Array, "n n"]:
    r"""Gives $L(\theta + s_i d_1 + s_j d_2)$ at row i and column j.

    Args:
        loss: from parameters to a scalar.
        params: $\theta$, the middle.
        first: $d_1$, such as `filter_normalized(key, params)`.
        second: $d_2$, with another key.
        steps: $s$, along both.

    Raises:
        ValueError: a direction is not shaped like the parameters, or `steps` is not in a row.
        TypeError: `loss` is not a function or does not give a scalar, a parameter is not floating,
            or `steps` no floating array.

    Example:
        >>> def loss(x):
        ...     return x[0] ** 2 + 10 * x[1] ** 2
        >>> plane = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
        >>> loss_slice(loss, jnp.zeros(2), *plane, jnp.array([0.0, 1.0])).tolist()
        [[0.0, 10.0], [1.0, 11.0]]

    References:
        Li et al., [Visualizing the loss landscape](https://arxiv.org/abs/1712.09913), 2018.
    """
    loss = scalar(loss)
    check_floating_tree("params", params)
    check_floating("steps", steps)
    if steps.ndim != 1:
        raise ValueError(f"steps must have one axis, got the shape {steps.shape}.")
    for name, direction in (("first", first), ("second", second)):
        check_same_tree(name, direction, "params", params)
        check_real_tree(name, direction)

    def at(place: tuple[Array, Array]) -> Array:
        a, b = place
        return loss(jax.tree.map(lambda x, d, e: x + a * d + b * e, params, first, second))

    rows, columns = jnp.meshgrid(steps, steps, indexing="ij")
    return jax.lax.map(at, (rows.ravel(), columns.ravel())).reshape(rows.shape)
