"""Gradient descent: a step against the gradient."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import cast_like, scalar_like, to_float32
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks.schedules import ScalarOrSchedule, value_at


class GradientDescentState(NamedTuple):
    """State of `gradient_descent`.

    Attributes:
        count: number of updates made so far.
        learning_rate: learning rate of the last update; before the first update, that of the first.
    """

    count: Int[Array, ""]
    learning_rate: Float[Array, ""]


def gradient_descent(learning_rate: ScalarOrSchedule) -> optax.GradientTransformationExtraArgs:
    r"""Multiplies the updates by minus the learning rate: $u_t = -\alpha_t g_t$.

    The same learning rate applies to every coordinate. Optimizers such as `adam` and `momentum`
    chain their update rule with this transformation. Whether $g$ is the gradient of a mean or of a
    sum over examples depends on the loss, not on this rule.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule; the first update uses `schedule(0)`.

    Raises:
        ValueError: `learning_rate` is negative or not finite, or the updates do not match the
            parameters.
        TypeError: `learning_rate` is not a real scalar, or a leaf is not floating-point.

    Example:
        >>> tx = gradient_descent(0.5)
        >>> updates, _ = tx.update({"w": jnp.array([2.0, -4.0])}, tx.init({"w": jnp.zeros(2)}))
        >>> updates["w"].tolist()
        [-1.0, 2.0]

    References:
        Robbins and Monro, [A stochastic approximation
        method](https://doi.org/10.1214/aoms/1177729586), 1951.
    """
    if not callable(learning_rate):
        check_range("learning_rate", learning_rate, low=0.0)

    def init(params: PyTree) -> GradientDescentState:
        check_floating_tree("params", params)
        step = jnp.zeros([], jnp.int32)
        return GradientDescentState(step, jnp.array(value_at(learning_rate, step), jnp.float32))

    def update(
        updates: PyTree,
        state: GradientDescentState,
        params: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, GradientDescentState]:
        del extra_args
        check_updates(updates, params)
        rate = value_at(learning_rate, state.count)
        steps = jax.tree.map(lambda g: -scalar_like(rate, g) * g, to_float32(updates))
        count = optax.safe_increment(state.count)
        return cast_like(steps, updates), GradientDescentState(count, jnp.array(rate, jnp.float32))

    return optax.GradientTransformationExtraArgs(init, update)
