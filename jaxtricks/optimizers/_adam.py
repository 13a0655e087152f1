"""Adam: a moving average of the gradients, divided by the root of one of their squares."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_flag, check_range
from jaxtricks._moments import (
    average,
    cast_like,
    divide_by_root,
    full_moment,
    narrow_like,
    scalar_like,
    to_float32,
    weight_sum,
)
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.schedules import ScalarOrSchedule, value_at


class AdamState(NamedTuple):
    """State of `scale_by_adam`: the moments before bias correction.

    Attributes:
        count: number of updates made so far.
        mu: first moment, the moving average of the gradients.
        nu: second moment, the moving average of their squares.
        nu_max: largest second moment so far with `amsgrad`, else `()`.
    """

    count: Int[Array, ""]
    mu: PyTree
    nu: PyTree
    nu_max: PyTree = ()


def scale_by_adam(
    b1: ScalarOrSchedule = 0.9,
    *,
    b2: ScalarOrSchedule = 0.999,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    eps_hat: bool = False,
    bias_correction: bool = True,
    amsgrad: bool = False,
    mu_dtype: DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Scales the gradients by the Adam rule, $\hat m_t / (\sqrt{\hat v_t} + \varepsilon)$.

    The moments are $m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t$ and
    $v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$. The bias correction turns them into
    $\hat m_t = m_t / (1 - \beta_1^t)$ and $\hat v_t = v_t / (1 - \beta_2^t)$, with $t$ counted
    from 1.

    Args:
        b1: $\beta_1$, in `[0, 1)`, a number or a schedule.
        b2: $\beta_2$, in `[0, 1)`, a number or a schedule.
        eps: $\varepsilon \ge 0$. With 0, a coordinate whose gradients were all 0 has the update 0.
        eps_inside: whether to add $\varepsilon$ under the root, $\sqrt{\hat v + \varepsilon}$.
            There it has the effect that $\sqrt\varepsilon$ has outside.
        eps_hat: whether to add $\varepsilon$ to the root of the *uncorrected* second moment, as in
            section 2 of the paper and in Keras: $\sqrt{1 - \beta_2^t} / (1 - \beta_1^t) \cdot m_t /
            (\sqrt{v_t} + \varepsilon)$. With `eps_inside` it is added to $v_t$ under this root.
        bias_correction: whether to correct both moments. Without the correction, the first step at
            the default decays is 3.16 times as large.
        amsgrad: whether to divide by the root of the largest $v$ of each coordinate so far, which
            never falls. As in PyTorch and Keras, the maximum is taken before the bias correction;
            optax takes it after.
        mu_dtype: dtype in which $m$ is stored, such as `jax.numpy.bfloat16`, which saves a quarter
            of the state. None means float32, or the dtype of the parameters if it is wider. $m$ is
            rounded after each update, and the update itself uses the unrounded $m$. $v$ is always
            stored in float32 or wider, because at $\beta_2 = 0.999$ bfloat16 would round its
            changes away.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: a boolean argument is not a bool, `mu_dtype` is not a floating dtype, or a leaf
            is not floating-point.

    Example:
        >>> tx = scale_by_adam()
        >>> step, _ = tx.update(jnp.array([3.0, -1e-4, 0.0]), tx.init(jnp.zeros(3)))
        >>> [round(float(x), 2) for x in step]
        [1.0, -1.0, 0.0]

    References:
        Kingma and Ba, [Adam](https://arxiv.org/abs/1412.6980), 2015, algorithm 1. AMSGrad: Reddi et
        al., [On the convergence of Adam and beyond](https://arxiv.org/abs/1904.09237), 2018.
    """
    for name, beta in (("b1", b1), ("b2", b2)):
        if not callable(beta):
            check_range(name, beta, low=0.0, below=1.0)
    check_flag("eps_inside", eps_inside)
    check_flag("eps_hat", eps_hat)
    check_flag("bias_correction", bias_correction)
    check_flag("amsgrad", amsgrad)
    check_dtype("mu_dtype", mu_dtype)
    check_range("eps", eps, low=0.0)

    def init(params: PyTree) -> AdamState:
        check_floating_tree("params", params)
        first, second = full_moment(params, dtype=mu_dtype), full_moment(params)
        largest = full_moment(params) if amsgrad else ()
        return AdamState(jnp.zeros([], jnp.int32), first, second, largest)

    def update(
        updates: PyTree, state: AdamState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, AdamState]:
        del params, extra_args
        check_updates(updates, state.mu)
        decay1, decay2 = value_at(b1, state.count), value_at(b2, state.count)
        wide = to_float32(updates)
        first = average(cast_like(state.mu, state.nu), wide, decay1)
        second = average(state.nu, jax.tree.map(jnp.square, wide), decay2)
        largest = jax.tree.map(jnp.maximum, state.nu_max, second) if amsgrad else ()
        scale1 = scale2 = 1.0
        if bias_correction:
            scale1, scale2 = weight_sum(decay1, state.count), weight_sum(decay2, state.count)
        shift = eps
        if eps_hat and bias_correction:
            shift = scalar_like(eps, scale2) / (scale2 if eps_inside else jnp.sqrt(scale2))

        def step(m: Array, v: Array) -> Array:
            mean, square = m / scalar_like(scale1, m), v / scalar_like(scale2, v)
            return divide_by_root(mean, square, shift, eps_inside=eps_inside)

        steps = jax.tree.map(step, first, largest if amsgrad else second)
        return cast_like(steps, updates), AdamState(
            optax.safe_increment(state.count), narrow_like(first, state.mu), second, largest
        )

    return optax.GradientTransformationExtraArgs(init, update)


def adam(
    learning_rate: ScalarOrSchedule,
    *,
    b1: ScalarOrSchedule = 0.9,
    b2: ScalarOrSchedule = 0.999,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    eps_hat: bool = False,
    bias_correction: bool = True,
    amsgrad: bool = False,
    mu_dtype: DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""The Adam optimizer: `scale_by_adam`, then the step $x \leftarrow x - \alpha u$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule; 1e-3 in the paper.
        b1: decay of the first moment; see `scale_by_adam` for this and the arguments below.
        b2: decay of the second moment.
        eps: $\varepsilon$, added to the root of the second moment.
        eps_inside: whether to add $\varepsilon$ under the root.
        eps_hat: whether to add $\varepsilon$ to the root of the uncorrected second moment.
        bias_correction: whether to correct the moments.
        amsgrad: whether to divide by the root of the largest second moment so far.
        mu_dtype: dtype in which the first moment is stored.

    Raises:
        ValueError: a hyper-parameter is out of range.
        TypeError: a boolean argument is not a bool, or `mu_dtype` is not a floating dtype.

    Example:
        >>> tx = adam(1e-3)
        >>> step, _ = tx.update(jnp.array(20.0), tx.init(jnp.zeros(())))
        >>> round(float(step), 6)
        -0.001

    References:
        Kingma and Ba, [Adam](https://arxiv.org/abs/1412.6980), 2015.
    """
    rule = scale_by_adam(
        b1,
        b2=b2,
        eps=eps,
        eps_inside=eps_inside,
        eps_hat=eps_hat,
        bias_correction=bias_correction,
        amsgrad=amsgrad,
        mu_dtype=mu_dtype,
    )
    return wide_chain(rule, gradient_descent(learning_rate))
