"""Momentum: a velocity, which is the decayed sum of the past gradients."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_flag, check_range
from jaxtricks._moments import cast_like, full_moment, narrow_like, scalar, scalar_like, to_float32
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.schedules import ScalarOrSchedule, value_at


class MomentumState(NamedTuple):
    """State of `scale_by_momentum`.

    Attributes:
        count: number of updates made so far.
        velocity: the velocity $v$, in float32 or wider or in `mu_dtype`.
    """

    count: Int[Array, ""]
    velocity: PyTree


def scale_by_momentum(
    decay: ScalarOrSchedule = 0.9,
    *,
    dampening: ScalarLike = 0.0,
    dampen_first: bool = True,
    nesterov: bool = False,
    initial_velocity: ScalarLike = 0.0,
    mu_dtype: DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Replaces the updates by the velocity $v_t = \rho v_{t-1} + (1 - \tau) g_t$.

    The velocity is a decayed *sum* of the gradients, whose weights add up to
    $(1 - \tau) / (1 - \rho)$. With `dampening=decay` it is their moving average.

    Args:
        decay: $\rho$, in `[0, 1]`, a number or a schedule; at 1 the velocity is the plain sum.
        dampening: $\tau$, in `[0, 1]`.
        dampen_first: whether $\tau$ also acts on the first gradient; in PyTorch it does not.
        nesterov: whether to return $g_t + \rho v_t$ instead. This is the step of the optimizer
            `nesterov`, whose parameters are the look-ahead point. It needs a dampening of 0.
        initial_velocity: $v_0$ of every coordinate.
        mu_dtype: dtype in which $v$ is stored, such as `jax.numpy.bfloat16`, which halves the
            state. None means float32, or the dtype of the parameters if it is wider. $v$ is rounded
            after each update, and the update itself uses the unrounded $v$. Do not use bfloat16
            with a `decay` of 1, because it would round small gradients away.

    Raises:
        ValueError: `decay` or `dampening` is out of range, `nesterov` is combined with a dampening,
            or the updates do not match the parameters.
        TypeError: a boolean argument is not a bool, `mu_dtype` is not a floating dtype, or a leaf
            is not floating-point.

    Example:
        >>> tx = scale_by_momentum(0.5)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(3):
        ...     velocity, state = tx.update(jnp.ones(()), state)
        ...     print(velocity)
        1.0
        1.5
        1.75

    References:
        Sutskever et al., [On the importance of initialization and momentum in deep
        learning](https://proceedings.mlr.press/v28/sutskever13.html), 2013.
    """
    if not callable(decay):
        check_range("decay", decay, low=0.0, high=1.0)
    check_range("dampening", dampening, low=0.0, high=1.0)
    check_range("initial_velocity", initial_velocity)
    check_flag("dampen_first", dampen_first)
    check_flag("nesterov", nesterov)
    check_dtype("mu_dtype", mu_dtype)
    if nesterov and not isinstance(dampening, jax.core.Tracer) and float(dampening) != 0:
        raise ValueError(f"nesterov=True needs dampening=0, got dampening {dampening}.")

    def init(params: PyTree) -> MomentumState:
        check_floating_tree("params", params)
        velocity = full_moment(params, initial_velocity, dtype=mu_dtype)
        return MomentumState(count=jnp.zeros([], jnp.int32), velocity=velocity)

    def update(
        updates: PyTree, state: MomentumState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, MomentumState]:
        del params, extra_args
        check_updates(updates, state.velocity)
        rho = value_at(decay, state.count)
        damping = scalar(dampening)
        gain = 1 - damping if dampen_first else 1 - jnp.where(state.count == 0, 0.0, damping)

        def weighted(v: Array, by: ScalarLike, g: Array) -> Array:
            return scalar_like(rho, v) * v + scalar_like(by, v) * jnp.asarray(g, v.dtype)

        wide = to_float32(updates)
        past = state.velocity if mu_dtype is None else cast_like(state.velocity, wide)
        velocity = jax.tree.map(lambda v, g: weighted(v, gain, g), past, wide)
        steps = velocity
        if nesterov:
            steps = jax.tree.map(lambda v, g: weighted(v, 1, g), velocity, wide)
        count, after = optax.safe_increment(state.count), narrow_like(velocity, state.velocity)
        return cast_like(steps, updates), MomentumState(count, after)

    return optax.GradientTransformationExtraArgs(init, update)


def momentum(
    learning_rate: ScalarOrSchedule,
    *,
    decay: ScalarOrSchedule = 0.9,
    lr_inside: bool = False,
    dampening: ScalarLike = 0.0,
    dampen_first: bool = True,
    nesterov: bool = False,
    initial_velocity: ScalarLike = 0.0,
    mu_dtype: DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""The momentum optimizer: gradient descent along a decayed sum of gradients.

    With the learning rate outside the velocity (the default), $v \leftarrow \rho v + (1 - \tau) g$
    and $x \leftarrow x - \alpha v$. With the learning rate inside,
    $v \leftarrow \rho v - (1 - \tau) \alpha g$ and $x \leftarrow x + v$. The two differ when
    $\alpha$ changes: inside, old gradients keep the learning rate of their own update. In PyTorch
    and optax it is outside, in Keras inside.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        decay: $\rho$, in `[0, 1]`, a number or a schedule; 0.9 and 0.99 are usual.
        lr_inside: whether the learning rate multiplies the gradient before it enters the velocity.
        dampening: $\tau$, in `[0, 1]`; see `scale_by_momentum` for this and the arguments below.
        dampen_first: whether $\tau$ also acts on the first gradient.
        nesterov: whether to take the step of the optimizer `nesterov`.
        initial_velocity: $v_0$. With `lr_inside` it is a displacement: it contains the learning
            rate and the minus sign of a step.
        mu_dtype: dtype in which the velocity is stored.

    Raises:
        ValueError: a hyper-parameter is out of range, or `nesterov` is combined with a dampening.
        TypeError: a boolean argument is not a bool, or `mu_dtype` is not a floating dtype.

    Example:
        >>> tx = momentum(0.1, decay=0.9)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(2):
        ...     step, state = tx.update(jnp.ones(()), state)
        >>> round(float(step), 3)
        -0.19

    References:
        Polyak, [Some methods of speeding up the convergence of iteration
        methods](https://doi.org/10.1016/0041-5553(64)90137-5), 1964; Sutskever et al., [On the
        importance of initialization and momentum in deep
        learning](https://proceedings.mlr.press/v28/sutskever13.html), 2013. Both have the learning
        rate inside.
    """
    check_flag("lr_inside", lr_inside)
    rule = scale_by_momentum(
        decay,
        dampening=dampening,
        dampen_first=dampen_first,
        nesterov=nesterov,
        initial_velocity=initial_velocity,
        mu_dtype=mu_dtype,
    )
    rate = gradient_descent(learning_rate)
    return wide_chain(rate, rule) if lr_inside else wide_chain(rule, rate)
