"""AdaDelta: the gradient scaled by the root mean squares of past steps and past gradients."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import (
    average,
    cast_like,
    full_moment,
    root,
    safe_divide,
    scalar_like,
    to_float32,
)
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.schedules import ScalarOrSchedule, value_at


class AdadeltaState(NamedTuple):
    """State of `scale_by_adadelta`.

    Attributes:
        count: number of updates made so far.
        gradient_moment: moving average of the squared gradients.
        step_moment: moving average of the squared steps.
    """

    count: Int[Array, ""]
    gradient_moment: PyTree
    step_moment: PyTree


def scale_by_adadelta(
    decay: ScalarOrSchedule = 0.95, *, eps: ScalarLike = 1e-6
) -> optax.GradientTransformationExtraArgs:
    r"""Scales the gradients by the AdaDelta rule, without a learning rate.

    The step is $u_t = g_t \sqrt{d_{t-1} + \varepsilon} / \sqrt{s_t + \varepsilon}$ with
    $s_t = \rho s_{t-1} + (1 - \rho) g_t^2$ and $d_t = \rho d_{t-1} + (1 - \rho) u_t^2$. Both
    averages start at 0 and are not bias-corrected. The steps that $d$ averages are not yet
    multiplied by a learning rate.

    Args:
        decay: $\rho$, in `[0, 1]`, a number or a schedule. At 1 both averages stay 0, and the
            updates are the gradients.
        eps: $\varepsilon \ge 0$. It determines the size of the first steps, about
            $\sqrt{\varepsilon / (1 - \rho)}$, and so how fast training starts. With 0 no coordinate
            ever moves.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: a leaf is not floating-point.

    Example:
        >>> tx = scale_by_adadelta()
        >>> step, _ = tx.update(jnp.array([20.0, -1.0, 0.0]), tx.init(jnp.zeros(3)))
        >>> [round(float(x), 5) for x in step]
        [0.00447, -0.00447, 0.0]

    References:
        Zeiler, [ADADELTA](https://arxiv.org/abs/1212.5701), 2012, algorithm 1.
    """
    if not callable(decay):
        check_range("decay", decay, low=0.0, high=1.0)
    check_range("eps", eps, low=0.0)

    def init(params: PyTree) -> AdadeltaState:
        check_floating_tree("params", params)
        return AdadeltaState(jnp.zeros([], jnp.int32), full_moment(params), full_moment(params))

    def update(
        updates: PyTree, state: AdadeltaState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, AdadeltaState]:
        del params, extra_args
        check_updates(updates, state.gradient_moment)
        rho = value_at(decay, state.count)
        wide = to_float32(updates)
        gradient_moment = average(state.gradient_moment, jax.tree.map(jnp.square, wide), rho)

        def step(g: Array, s: Array, d: Array) -> Array:
            # one root of the quotient, because XLA on CPU writes two roots to memory and reads them
            shift = scalar_like(eps, s)
            return g * root(safe_divide(d + shift, s + shift))

        steps = jax.tree.map(step, wide, gradient_moment, state.step_moment)
        step_moment = average(state.step_moment, jax.tree.map(jnp.square, steps), rho)
        return cast_like(steps, updates), AdadeltaState(
            optax.safe_increment(state.count), gradient_moment, step_moment
        )

    return optax.GradientTransformationExtraArgs(init, update)


def adadelta(
    learning_rate: ScalarOrSchedule = 1.0,
    *,
    decay: ScalarOrSchedule = 0.95,
    eps: ScalarLike = 1e-6,
) -> optax.GradientTransformationExtraArgs:
    r"""The AdaDelta optimizer: `scale_by_adadelta`, then the step $x \leftarrow x - \alpha u$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule. The paper has no learning rate, which
            is the same as 1.
        decay: $\rho$; see `scale_by_adadelta`.
        eps: $\varepsilon$; see `scale_by_adadelta`.

    Raises:
        ValueError: a hyper-parameter is out of range.

    Example:
        >>> tx = adadelta()
        >>> step, _ = tx.update(jnp.array(20.0), tx.init(jnp.zeros(())))
        >>> round(float(step), 5)
        -0.00447

    References:
        Zeiler, [ADADELTA](https://arxiv.org/abs/1212.5701), 2012.
    """
    return wide_chain(scale_by_adadelta(decay, eps=eps), gradient_descent(learning_rate))
