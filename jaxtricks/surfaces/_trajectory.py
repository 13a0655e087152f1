"""Recording the path of an update rule over a surface, in one scan."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from jaxtricks._checks import check_instance, check_integer, check_key
from jaxtricks._tree_checks import check_real_tree
from jaxtricks.surfaces._surface import as_point, scalar_loss


class Trajectory(NamedTuple):
    """The result of `trajectory`. Step t adds `updates[t]` to `points[t]`, giving `points[t + 1]`.

    Attributes:
        points: `[steps + 1, ...]`, the points, beginning with the start.
        losses: `[steps + 1]`, the loss at each point.
        gradients: `[steps, ...]`, the gradients that the update rule received.
        updates: `[steps, ...]`, the updates that it returned.
        state: the state of the update rule after the last step.
    """

    points: PyTree
    losses: Float[Array, " points"]
    gradients: PyTree
    updates: PyTree
    state: PyTree


def trajectory(
    tx: optax.GradientTransformation,
    surface: Callable[..., Float[Array, ""]],
    start: PyTree,
    steps: int,
    *,
    key: Key[Array, ""] | None = None,
) -> Trajectory:
    """Takes `steps` steps by `tx` from `start`, and returns all points, gradients and updates.

    The steps are one `lax.scan`, so `vmap` over starts, keys and hyper-parameters compiles once. To
    map over the hyper-parameters of an update rule, make the rule inside the mapped function.
    Everything is computed in the dtype of `start`.

    Args:
        tx: the update rule, an optax gradient transformation; its `update` receives the loss as the
            argument `value`.
        surface: the objective: a function `x -> scalar` or, if `key` is given,
            `(key, x) -> scalar`.
        start: the first point, an array or a tree of arrays.
        steps: the number of steps, at least 1.
        key: a random key, or None. In step t the surface receives `fold_in(key, t)`, and for the
            loss at the last point `fold_in(key, steps)`.

    Raises:
        ValueError: `steps` is under 1, or `start` does not fit the surface.
        TypeError: an argument has the wrong type, `start` is complex, or the surface takes other
            arguments or does not return a scalar.

    Example:
        >>> from jaxtricks.optimizers import gradient_descent
        >>> from jaxtricks.surfaces import quadratic
        >>> path = trajectory(gradient_descent(0.5), quadratic((1.0,)), jnp.array([8.0]), 3)
        >>> path.points[:, 0].tolist()
        [8.0, 4.0, 2.0, 1.0]
    """
    check_instance("tx", tx, optax.GradientTransformation)
    if key is not None:
        check_key("key", key)
    loss_of = scalar_loss(surface, *(("x",) if key is None else ("key", "x")))
    check_integer("steps", steps, low=1)
    check_real_tree("start", start)
    start = as_point(start)
    tx = optax.with_extra_args_support(tx)

    def objective(x: PyTree, step: Int[Array, ""]) -> Float[Array, ""]:
        return loss_of(x) if key is None else loss_of(jax.random.fold_in(key, step), x)

    def body(carry: PyTree, step: Int[Array, ""]) -> tuple[PyTree, PyTree]:
        x, state = carry
        loss, gradient = jax.value_and_grad(objective)(x, step)
        updates, state = tx.update(gradient, state, x, value=loss)
        return (optax.apply_updates(x, updates), state), (x, loss, gradient, updates)

    counts = jnp.arange(steps, dtype=jnp.int32)
    (end, state), (points, losses, gradients, updates) = jax.lax.scan(
        body, (start, tx.init(start)), counts
    )
    last = objective(end, jnp.asarray(steps, jnp.int32))
    points = jax.tree.map(lambda p, e: jnp.concatenate([p, e[None]]), points, end)
    return Trajectory(points, jnp.append(losses, last), gradients, updates, state)
