"""A decayed average of the gradients over the root of the decayed average of their squares."""

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
    """The moments, not yet bias-corrected.

    `count`: updates done so far; `mu`, `nu`: first and second moments; `nu_max`: the largest `nu`
    so far if `amsgrad`, else ().
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
    r"""Replaces the updates by $\hat m_t / (\sqrt{\hat v_t} + \varepsilon)$.

    $m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t$, $v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$,
    $\hat m_t = m_t / (1 - \beta_1^t)$, $\hat v_t = v_t / (1 - \beta_2^t)$, $t$ from 1.

    Args:
        b1: $\beta_1$, in `[0, 1)`, a number or a schedule.
        b2: $\beta_2$, in `[0, 1)`, a number or a schedule.
        eps: $\varepsilon \ge 0$; with 0, 0/0 is 0.
        eps_inside: $\sqrt{\hat v + \varepsilon}$ instead; this $\varepsilon$ acts like the root of
            one outside.
        eps_hat: adds $\varepsilon$ to the *uncorrected* root, as section 2 of the paper and Keras
            do: $\sqrt{1 - \beta_2^t} / (1 - \beta_1^t) \cdot m_t / (\sqrt{v_t} +
            \varepsilon)$; with `eps_inside` to the uncorrected $v_t$ under it.
        bias_correction: False leaves both moments as they are; at (0.9, 0.999) the first step is
            then 3.16 times larger.
        amsgrad: divides by the root of the largest $v$ of each coordinate so far, so that a rate
            never rises. As in PyTorch and Keras, $v$ is not yet corrected when they are compared;
            optax compares the corrected ones.
        mu_dtype: dtype in which $m$ is kept, such as `jax.numpy.bfloat16`, which saves a quarter of
            the state; None is float32 or wider. It is rounded after each update, and the update
            itself is made of the unrounded $m$. $v$ stays wide: at $\beta_2$ = 0.999 bfloat16 would
            round its changes away.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: a flag is not a bool, `mu_dtype` is not a floating dtype, or a leaf is not
            floating.

    Example:
        >>> tx = scale_by_adam()
        >>> step, _ = tx.update(jnp.array([3.0, -1e-4, 0.0]), tx.init(jnp.zeros(3)))
        >>> [round(float(x), 2) for x in step]
        [1.0, -1.0, 0.0]

    References:
        Kingma and Ba, [Adam](https://arxiv.org/abs/1412.6980), 2015, algorithm 1; Reddi et al.,
        [On the convergence of Adam and beyond](https://arxiv.org/abs/1904.09237), 2018 (AMSGrad).
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
    r"""Adam: `scale_by_adam`, then $x \leftarrow x - \alpha u$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule; the paper uses 1e-3.
        b1: see `scale_by_adam`, like all that follow.
        b2: decay of the second moment.
        eps: $\varepsilon$.
        eps_inside: place of $\varepsilon$.
        eps_hat: place of $\varepsilon$.
        bias_correction: whether to correct the moments.
        amsgrad: whether to divide by the largest second moment so far.
        mu_dtype: dtype of the first moment.

    Raises:
        ValueError: a hyper-parameter is out of range.

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
