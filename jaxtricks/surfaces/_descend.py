"""Descending until the gradient is small."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxtricks._checks import check_instance, check_integer, check_range
from jaxtricks._tree_checks import check_real_tree
from jaxtricks._types import ScalarLike
from jaxtricks.surfaces._surface import as_point, scalar_loss


class Descent(NamedTuple):
    """Where it ended: the `point`, its `loss` and `gradient_norm`, and the `steps` taken."""

    point: PyTree
    loss: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    steps: Int[Array, ""]


def descend(
    tx: optax.GradientTransformation,
    surface: Callable[[PyTree], Float[Array, ""]],
    start: PyTree,
    *,
    tolerance: ScalarLike,
    max_steps: int | Int[Array, ""],
) -> Descent:
    """Follows `tx` until the gradient's norm falls below `tolerance`, or for `max_steps`.

    It has converged if `gradient_norm < tolerance`. It also stops at a gradient that is not a
    number, which `gradient_norm` then shows. Under `vmap` the number of steps differs from run to
    run.

    Args:
        tx: the rule; the loss is passed to it as `value`.
        surface: `x -> scalar`.
        start: an array or a tree of arrays.
        tolerance: at least 0.
        max_steps: at least 1.

    Raises:
        ValueError: an argument is out of range, or `start` does not fit the surface.
        TypeError: an argument is of another kind, `start` is complex, or the surface gives no
            scalar.

    Example:
        >>> from jaxtricks.optimizers import gradient_descent
        >>> from jaxtricks.surfaces import quadratic
        >>> bowl = quadratic((1.0, 4.0))
        >>> end = descend(gradient_descent(0.25), bowl, bowl.start, tolerance=0.1, max_steps=99)
        >>> print(end.steps, end.gradient_norm < 0.1)
        9 True
    """
    check_instance("tx", tx, optax.GradientTransformation)
    loss_and_gradient = jax.value_and_grad(scalar_loss(surface, "x"))
    check_range("tolerance", tolerance, low=0.0)
    check_integer("max_steps", max_steps, low=1)
    check_real_tree("start", start)
    start = as_point(start)
    tx = optax.with_extra_args_support(tx)

    def unfinished(carry: PyTree) -> Array:
        _, _, _, gradient, step = carry
        return (optax.tree.norm(gradient) >= tolerance) & (step < max_steps)

    def body(carry: PyTree) -> PyTree:
        x, state, loss, gradient, step = carry
        updates, state = tx.update(gradient, state, x, value=loss)
        x = optax.apply_updates(x, updates)
        return x, state, *loss_and_gradient(x), step + 1

    first = (start, tx.init(start), *loss_and_gradient(start), jnp.zeros([], jnp.int32))
    point, _, loss, gradient, steps = jax.lax.while_loop(unfinished, body, first)
    return Descent(point, loss, optax.tree.norm(gradient), steps)
