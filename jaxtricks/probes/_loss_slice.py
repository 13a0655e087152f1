"""The loss on a two-dimensional plane through the parameters."""

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
    r"""Computes the loss on a grid in the plane through `params` along two directions.

    The value at row $i$ and column $j$ is $L(\theta + s_i d_1 + s_j d_2)$.

    Args:
        loss: a function $L$ of the parameters whose value is a scalar.
        params: $\theta$, the parameters at the origin of the plane.
        first: $d_1$, a tree like `params`, such as `filter_normalized(key, params)`.
        second: $d_2$, a tree like `params`, such as one drawn in the same way with another key.
        steps: $s$, the coordinates of the grid along both directions.

    Returns:
        The losses, `[n, n]` for `n` steps.

    Raises:
        ValueError: the structure or shapes of a direction differ from those of `params`, or `steps`
            does not have exactly one axis.
        TypeError: `loss` is not a function or its value is not a scalar, a parameter is not
            floating, a direction is not real, or `steps` is not a floating array.

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
