"""Multiplying the updates of a gradient transformation by the factor of a control rule."""

import jax
import optax
from jax.tree_util import keystr
from jaxtyping import Array, PyTree, Shaped

from jaxtricks._wide_dtype import wide_dtype


def scaled_update(
    rule: optax.GradientTransformationExtraArgs,
    scale: Shaped[Array, ""],
    gradients: PyTree,
    opt_state: PyTree,
    params: PyTree,
    **extra_args: object,
) -> tuple[PyTree, PyTree]:
    """Returns the updates times `scale`, in their own dtypes, and the new state of `rule`.

    `optimizers.full_precision` is given `scale` as `learning_rate_scale` and applies it itself,
    because it would undo a change of its updates.

    Raises:
        ValueError: `full_precision` is only a part of `rule`.

    Example:
        >>> import jax.numpy as jnp
        >>> rule, half = optax.with_extra_args_support(optax.sgd(1.0)), jnp.float32(0.5)
        >>> print(scaled_update(rule, half, jnp.ones(()), rule.init(jnp.ones(())), None)[0])
        -0.5
    """
    copies = [path for path, _ in optax.tree.get_all_with_path(opt_state, "FullPrecisionState")]
    if copies == [()]:
        return rule.update(gradients, opt_state, params, learning_rate_scale=scale, **extra_args)
    if copies:
        raise ValueError(
            "full_precision must wrap the whole rule in a trainer, because it undoes later changes "
            "of its updates: write full_precision(freeze(rule, mask)), not "
            "freeze(full_precision(rule), mask); its state is in opt_state, at "
            f"{keystr(copies[0])}."
        )
    updates, opt_state = rule.update(gradients, opt_state, params, **extra_args)

    def scaled(u: Array) -> Array:
        dtype = wide_dtype(u.dtype)
        return (scale.astype(dtype) * u.astype(dtype)).astype(u.dtype)

    return jax.tree.map(scaled, updates), opt_state
