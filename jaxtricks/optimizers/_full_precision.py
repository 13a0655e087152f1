"""Parameters too narrow for their updates, trained through a wide copy of them."""

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
    """`params`: the parameters in float32 or wider; `inner`: state of the wrapped rule."""

    params: PyTree
    inner: PyTree


def full_precision(tx: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    r"""Applies `tx` to a float32 copy $w$ of the parameters, which are $w$ rounded to their dtype.

    bfloat16 has 8 significant bits: from 1.0 the next number down is 0.996, so an update of 0.001
    is rounded away, however many of them come, and small learning rates and weight decay move
    nothing. Here they add up in $w$, and the parameters $x$ follow, by $u_t = \mathrm{round}(w_t) -
    x_{t-1}$. Wrap the whole chain: `tx` gets gradients and parameters in float32 or wider, so it
    makes the updates of a float32 run with the same gradients. Parameters of float32 and wider are
    updated as by `tx` itself.

    $x_{t-1} + u_t$ is $\mathrm{round}(w_t)$ exactly if $u_t$ fits in its dtype, that of the
    gradient. For that it suffices that the parameter does not more than double or halve; otherwise
    it is off by at most the rounding of $u_t$ ($2^{-9}$ of it in bfloat16), and the next update
    puts it right. Since the copy decides, what changes the updates or the parameters besides (a
    later link of a chain, a projection, restored weights) is undone by the next update. For that
    reason `update` takes `learning_rate_scale`, a factor of the steps of `tx`: `training.trainer`
    passes on the one that a control rule has set.

    Args:
        tx: the complete rule, with its learning rate and its decay.

    Raises:
        TypeError: `tx` is not a gradient transformation, or a leaf is not floating.
        ValueError: `update` gets no parameters, or the updates do not match them.

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
            # the barrier, as XLA may take narrowing and widening again for nothing
            rounded = jax.lax.optimization_barrier(jnp.asarray(w, dtype))
            return jnp.asarray(rounded, w.dtype) - jnp.asarray(x, w.dtype)

        moves = jax.tree.map(move, params, after, steps)
        return cast_like(moves, updates), FullPrecisionState(after, inner)

    return optax.GradientTransformationExtraArgs(init, update)
