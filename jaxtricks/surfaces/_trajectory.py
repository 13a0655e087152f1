"""The path of an update rule over a surface, as one scan."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from jaxtricks._checks import check_instance, check_key, check_length
from jaxtricks._tree_checks import check_real_tree
from jaxtricks.surfaces._surface import as_point, scalar_loss


class Trajectory(NamedTuple):
    """What happened. Step t goes from `points[t]` to `points[t + 1]` by `updates[t]`.

    Attributes:
        points: `[steps + 1, ...]`, the start first.
        losses: `[steps + 1]`, at the points.
        gradients: `[steps, ...]`, those the rule was given.
        updates: `[steps, ...]`, what it made of them.
        state: the rule's state at the end.
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
    """Follows `tx` for a number of steps, keeping every point, gradient and update.

    One `lax.scan`, so `vmap` over starts, keys and the rule's hyper-parameters (make the rule
    inside the mapped function) compiles once. Everything is computed in the dtype of `start`.
    The loss is passed to the rule as `value`.

    Args:
        tx: the rule.
        surface: `x -> scalar`, or `(key, x) -> scalar` when a key is given.
        start: an array or a tree of arrays.
        steps: at least 1.
        key: step t gets `fold_in(key, t)`; the last loss gets `fold_in(key, steps)`.

    Raises:
        ValueError: `steps` is under 1, or `start` does not fit the surface.
        TypeError: an argument is of another kind, `start` is complex, or the surface takes other
            arguments or gives no scalar.

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
    check_length("steps", steps, low=1)
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
