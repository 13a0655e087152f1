"""RMSProp: the gradient, divided by the root of the moving average of its squares."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxtricks._checks import check_flag, check_range
from jaxtricks._moments import (
    average,
    cast_like,
    divide_by_root,
    full_moment,
    scalar,
    scalar_like,
    to_float32,
    weight_sum,
)
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.optimizers._momentum import scale_by_momentum
from jaxtricks.schedules import ScalarOrSchedule, value_at

TINY = float(jnp.finfo(jnp.float32).tiny)


class RmspropState(NamedTuple):
    """State of `scale_by_rmsprop`.

    Attributes:
        count: number of updates made so far.
        nu: moving average of the squared gradients, or their variance if `centered`, before bias
            correction.
        mean: moving average of the gradients if `centered`, after any bias correction, else `()`.
        last_gradient: the previous gradient, in place of the mean, if `keep_gradient`, else `()`.
        deviation: its deviation from the mean if `keep_gradient`, else `()`.
    """

    count: Int[Array, ""]
    nu: PyTree
    mean: PyTree = ()
    last_gradient: PyTree = ()
    deviation: PyTree = ()


def scale_by_rmsprop(
    decay: ScalarOrSchedule = 0.9,
    *,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    bias_correction: bool = False,
    centered: bool = False,
    keep_gradient: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""Divides gradients by the root of the moving average of their squares: the RMSProp rule.

    The step is $g_t / (\sqrt{r_t} + \varepsilon)$ with $r_t = \rho r_{t-1} + (1 - \rho) g_t^2$.
    Under a constant gradient and without bias correction, the first step is $1 / \sqrt{1 - \rho}$
    times as large as the steps become later: 3.16 times at $\rho = 0.9$, 10 times at 0.99.

    Args:
        decay: $\rho$, in `[0, 1]`, a number or a schedule. At 1, which `bias_correction` does not
            allow, $r$ stays $r_0$.
        eps: $\varepsilon \ge 0$. With 0, a coordinate whose gradients were all 0 has the update 0.
        eps_inside: whether to add $\varepsilon$ under the root, $\sqrt{r + \varepsilon}$. There it
            has the effect that $\sqrt\varepsilon$ has outside. The lecture and PyTorch add it
            outside, Keras and, by default, optax inside.
        bias_correction: whether to divide the averages by $1 - \rho^t$, with $t$ counted from 1.
        centered: whether to use the variance $r_t - m_t^2$ in place of $r_t$, with
            $m_t = \rho m_{t-1} + (1 - \rho) g_t$. This difference would lose all its digits where
            gradients hardly change (PyTorch's root can be NaN there), so the variance itself is
            stored: $\sigma_t^2 = \rho \sigma_{t-1}^2 + (1 - \rho) d_t^2 / \rho$ with
            $d_t = g_t - m_t$. The error of $d_t$ is about a rounding of the gradient. Together with
            `bias_correction` the first variance is 0, and the first step is $g / \varepsilon$:
            200,000 for a gradient of 0.02 at the default $\varepsilon$, times the learning rate. If
            you set both, set an `initial_accumulator` above 0 too.
        keep_gradient: whether to compute $d_t = \rho ((g_t - g_{t-1}) + d_{t-1})$ instead, whose
            error is only about a rounding of $d_t$ itself. It needs `centered`, the state stores
            three trees like the parameters instead of two, and an update takes several times as
            long. The centered RMSProp of `presets.torch` and `presets.keras` uses it.
        initial_accumulator: $r_0 \ge 0$ of every coordinate.

    Raises:
        ValueError: a hyper-parameter is out of range, `keep_gradient` is given without `centered`,
            or the updates do not match the parameters.
        TypeError: a boolean argument is not a bool, or a leaf is not floating-point.

    Example:
        >>> tx = scale_by_rmsprop(0.9)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(4):
        ...     step, state = tx.update(jnp.array(20.0), state)
        ...     print(round(float(step), 3))
        3.162
        2.294
        1.921
        1.705

    References:
        Tieleman and Hinton, Lecture 6.5, Coursera, 2012. Centered: Graves, [Generating sequences
        with recurrent neural networks](https://arxiv.org/abs/1308.0850), 2013, eq. 38-41.
    """
    check_flag("bias_correction", bias_correction)
    if not callable(decay):
        limit = {"below": 1.0} if bias_correction else {"high": 1.0}
        check_range("decay", decay, low=0.0, **limit)
    check_flag("eps_inside", eps_inside)
    check_flag("centered", centered)
    check_flag("keep_gradient", keep_gradient)
    if keep_gradient and not centered:
        raise ValueError("keep_gradient=True needs centered=True, got centered False.")
    check_range("eps", eps, low=0.0)
    check_range("initial_accumulator", initial_accumulator, low=0.0)

    def init(params: PyTree) -> RmspropState:
        check_floating_tree("params", params)
        step, moment = jnp.zeros([], jnp.int32), full_moment(params, initial_accumulator)
        if not centered:
            return RmspropState(step, moment)
        if not keep_gradient:
            return RmspropState(step, moment, full_moment(params))
        return RmspropState(step, moment, (), full_moment(params), full_moment(params))

    def update(
        updates: PyTree, state: RmspropState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, RmspropState]:
        del params, extra_args
        check_updates(updates, state.nu)
        rho = scalar(value_at(decay, state.count))
        scale = weight_sum(rho, state.count) if bias_correction else 1.0
        wide, memory, deviation, share = to_float32(updates), (), None, 1.0
        if centered:
            past = _past_share(rho, state.count, scale) if bias_correction else rho
            deviation, *memory = _deviation(state, wide, past, keep_gradient=keep_gradient)
            share = 1 / jnp.maximum(past, TINY)
        squares = jax.tree.map(
            lambda d: scalar_like(share, d) * jnp.square(d), deviation if centered else wide
        )
        second = average(state.nu, squares, rho)
        steps = jax.tree.map(
            lambda g, r: divide_by_root(g, r / scalar_like(scale, r), eps, eps_inside=eps_inside),
            wide,
            second,
        )
        after = RmspropState(optax.safe_increment(state.count), second, *memory)
        return cast_like(steps, updates), cast_like(after, state)

    return optax.GradientTransformationExtraArgs(init, update)


def _deviation(
    state: RmspropState, gradients: PyTree, past: ScalarLike, *, keep_gradient: bool
) -> tuple[PyTree, ...]:
    """Returns the deviation of the gradients from their new mean, and the memory for the next."""
    if not keep_gradient:
        mean = average(state.mean, gradients, past)
        return jax.tree.map(jnp.subtract, gradients, mean), mean
    last = jax.tree.map(jnp.array, gradients)  # a copy: the caller may donate the gradient
    deviation = jax.tree.map(
        partial(_next_deviation, past), gradients, state.last_gradient, state.deviation
    )
    return deviation, (), last, deviation


def _next_deviation(past: ScalarLike, g: Array, last: Array, deviation: Array) -> Array:
    """Computes a deviation within the dtype's range, as an infinite one would become NaN later."""
    largest = jnp.finfo(deviation.dtype).max
    change = jnp.clip((jnp.asarray(g, last.dtype) - last) + deviation, -largest, largest)
    return scalar_like(past, deviation) * change


def _past_share(decay: ScalarLike, step: Int[Array, ""], scale: ScalarLike) -> Float[Array, ""]:
    """Returns the weight of the past in the corrected mean: 0 at first, later close to `decay`."""
    past = jnp.where(step == 0, 0.0, weight_sum(decay, jnp.maximum(step, 1) - 1))
    return scalar_like(decay, past) * past / scale


def rmsprop(
    learning_rate: ScalarOrSchedule,
    *,
    decay: ScalarOrSchedule = 0.9,
    momentum: ScalarOrSchedule | None = None,
    lr_inside: bool = False,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    bias_correction: bool = False,
    centered: bool = False,
    keep_gradient: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""The RMSProp optimizer, with optional momentum on the scaled gradients.

    It consists of `scale_by_rmsprop`, `scale_by_momentum` if `momentum` is given, and the learning
    rate.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        decay: $\rho$; see `scale_by_rmsprop`.
        momentum: decay of the velocity of the scaled gradients, in `[0, 1]`, a number or a
            schedule. None is plain RMSProp; 0 makes the same updates, with a velocity in the state.
        lr_inside: whether the learning rate multiplies the scaled gradient before it enters the
            velocity, as in Keras and optax. If False, it multiplies the velocity, as in PyTorch.
            The steps are the same while the learning rate is constant.
        eps: $\varepsilon$; see `scale_by_rmsprop` for this and the arguments below.
        eps_inside: whether to add $\varepsilon$ under the root: False in PyTorch, True in Keras.
        bias_correction: whether to correct the averages.
        centered: whether to divide by the root of the variance. With `bias_correction` the first
            step is huge, see `scale_by_rmsprop`.
        keep_gradient: whether the variance is accurate where gradients hardly change.
        initial_accumulator: $r_0$.

    Raises:
        ValueError: a hyper-parameter is out of range, or `keep_gradient` is given without
            `centered`.
        TypeError: a boolean argument is not a bool.

    Example:
        >>> pytorch = rmsprop(0.01, decay=0.99, eps=1e-8)
        >>> step, _ = pytorch.update(jnp.array(20.0), pytorch.init(jnp.zeros(())))
        >>> round(float(step), 4)
        -0.1

    References:
        Tieleman and Hinton, Lecture 6.5, Coursera, 2012.
    """
    rule = scale_by_rmsprop(
        decay,
        eps=eps,
        eps_inside=eps_inside,
        bias_correction=bias_correction,
        centered=centered,
        keep_gradient=keep_gradient,
        initial_accumulator=initial_accumulator,
    )
    check_flag("lr_inside", lr_inside)
    rate = gradient_descent(learning_rate)
    if momentum is None:
        return wide_chain(rule, rate)
    if not callable(momentum):
        check_range("momentum", momentum, low=0.0, high=1.0)
    velocity = scale_by_momentum(momentum)
    return wide_chain(rule, rate, velocity) if lr_inside else wide_chain(rule, velocity, rate)
