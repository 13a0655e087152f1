"""A chain of gradient transformations that is computed in float32 or wider."""

import optax
from jaxtyping import PyTree

from jaxtricks._moments import cast_like, to_float32
from jaxtricks._tree_checks import check_floating_tree


def wide_chain(
    *links: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """Chains transformations as `optax.chain` does, but computes all of them in float32 or wider.

    Each transformation returns updates in the dtype that it receives. In `optax.chain` a float16
    velocity of 70,000 is therefore infinite before the learning rate can make it small. Here the
    updates are converted to the dtype of the gradient only after the last transformation.

    Raises:
        TypeError: a leaf of the updates is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> double, scale = optax.scale(2.0), optax.scale(0.01)
        >>> gradient = jnp.array([60_000.0], jnp.float16)
        >>> for chain in (optax.chain, wide_chain):
        ...     tx = chain(double, scale)
        ...     print(float(tx.update(gradient, tx.init(gradient))[0][0]))
        inf
        1200.0
    """
    rule = optax.chain(*links)

    def update(
        updates: PyTree, state: PyTree, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, PyTree]:
        check_floating_tree("updates", updates)
        steps, state = rule.update(to_float32(updates), state, params, **extra_args)
        return cast_like(steps, updates), state

    return optax.GradientTransformationExtraArgs(rule.init, update)
