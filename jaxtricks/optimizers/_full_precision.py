"""Training parameters of a narrow dtype, such as bfloat16, through a float32 copy."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from jaxtricks._checks import check_functions
from jaxtricks._moments import cast_like, scalar_like, to_float32
from jaxtricks._tree_checks import check_floating_tree, check_params_given, check_updates
from jaxtricks._types import ScalarLike


class FullPrecisionState(NamedTuple):
    """State of `full_precision`.

    Attributes:
        params: copy of the parameters in float32 or wider.
        inner: state of the wrapped optimizer.
    """

    params: PyTree
    inner: PyTree


def full_precision(tx: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    r"""Applies `tx` to a float32 copy of the parameters and rounds the copy to their own dtype.

    bfloat16 has 8 significant bits: the next number below 1.0 is 0.996, so an update of 0.001 is
    rounded away, however often it is repeated, and small learning rates and weight decay change
    nothing. Here such updates add up in the copy $w$, and the parameters $x$ follow it through the
    updates $u_t = \mathrm{round}(w_t) - x_{t-1}$. Wrap the whole chain: `tx` gets gradients and
    parameters in float32 or wider, so it makes the updates of a float32 run with the same
    gradients. Parameters in float32 or wider are updated as by `tx` itself.

    $x_{t-1} + u_t$ is exactly $\mathrm{round}(w_t)$ if the dtype of the gradient, in which $u_t$ is
    returned, represents $u_t$ without rounding. This holds if the parameter at most doubles or
    halves. Otherwise the sum is off by at most the rounding of $u_t$ ($2^{-9}$ of it in bfloat16),
    and the next update corrects it.

    Because the parameters follow the copy, any other change of the updates or parameters (by a
    later transformation in a chain, a projection, or restored weights) is undone by the next
    update. To scale the steps of `tx`, give `update` the factor `learning_rate_scale`, as
    `training.trainer` does with the factor that a control rule has set.

    Args:
        tx: the complete optimizer, with its learning rate and weight decay.

    Raises:
        TypeError: `tx` is not a gradient transformation, or a leaf is not floating-point.
        ValueError: `update` gets no `params`, or the updates do not match them.

    Example:
        >>> from jaxtricks.optimizers import gradient_descent
        >>> for tx in (gradient_descent(1e-3), full_precision(gradient_descent(1e-3))):
        ...     params = jnp.ones((), jnp.bfloat16)
        ...     state = tx.init(params)
        ...     for _ in range(100):
        ...         updates, state = tx.update(jnp.ones((), jnp.bfloat16), state, params)
        ...         params = optax.apply_updates(params, updates)
        ...     print(params)
        1
        0.898438

    References:
        Micikevicius et al., [Mixed precision training](https://arxiv.org/abs/1710.03740), 2018,
        section 3.1.
    """
    check_functions("tx", tx, optax.GradientTransformation)
    rule = optax.with_extra_args_support(tx)

    def init(params: PyTree) -> FullPrecisionState:
        check_floating_tree("params", params)
        wide = jax.tree.map(lambda x: jnp.array(x, copy=True), to_float32(params))
        return FullPrecisionState(wide, rule.init(wide))

    def update(
        updates: PyTree,
        state: FullPrecisionState,
        params: PyTree | None = None,
        *,
        learning_rate_scale: ScalarLike = 1,
        **extra_args: object,
    ) -> tuple[PyTree, FullPrecisionState]:
        check_params_given(params)
        check_updates(updates, state.params)
        steps, inner = rule.update(to_float32(updates), state.inner, state.params, **extra_args)
        steps = jax.tree.map(
            lambda step, w: scalar_like(learning_rate_scale, w) * jnp.asarray(step, w.dtype),
            steps,
            state.params,
        )
        after = jax.tree.map(jnp.add, state.params, steps)

        def move(x: Array, w: Array, step: Array) -> Array:
            dtype = jnp.result_type(x)
            if dtype == w.dtype:
                return step
            # the barrier, because XLA may remove a conversion to a narrow dtype and back
            rounded = jax.lax.optimization_barrier(jnp.asarray(w, dtype))
            return jnp.asarray(rounded, w.dtype) - jnp.asarray(x, w.dtype)

        moves = jax.tree.map(move, params, after, steps)
        return cast_like(moves, updates), FullPrecisionState(after, inner)

    return optax.GradientTransformationExtraArgs(init, update)
