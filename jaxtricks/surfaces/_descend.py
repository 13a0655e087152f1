"""Following an update rule until the gradient is small."""

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
    """The result of `descend`.

    Attributes:
        point: the last point, shaped like the start.
        loss: the loss at the last point.
        gradient_norm: the norm of the gradient at the last point.
        steps: the number of steps taken.
    """

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
    """Takes steps by `tx` until the norm of the gradient is below `tolerance`, at most `max_steps`.

    The run has converged if `gradient_norm < tolerance` in the result. A gradient that is NaN also
    stops the run; `gradient_norm` is then NaN. Under `vmap` each run stops after its own number of
    steps.

    Args:
        tx: the update rule, an optax gradient transformation; its `update` receives the loss as the
            argument `value`.
        surface: the objective, a function `x -> scalar`.
        start: the first point, an array or a tree of arrays.
        tolerance: the norm of the gradient below which to stop, at least 0.
        max_steps: the largest number of steps, at least 1.

    Returns:
        The last point, its loss, the norm of its gradient and the number of steps.

    Raises:
        ValueError: `tolerance` or `max_steps` is out of range, or `start` does not fit the surface.
        TypeError: an argument has the wrong type, `start` is complex, or the surface does not
            return a scalar.

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
