"""Smaller updates for the layers that are further from the output."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import cast_like, scalar_like, to_float32
from jaxtricks._prefix import expand_prefix
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers._layer_depth import layer_depth


def scale_by_depth(
    factor: ScalarLike, *, depth: PyTree | Callable[[PyTree], PyTree] = layer_depth
) -> optax.GradientTransformationExtraArgs:
    r"""Multiplies the updates of a layer by $c^d$, where $d$ is the number of layers after it.

    The layers near the input of a trained network are more general and need to change less. Put
    it last in the chain, because an adaptive rule undoes a scaling of its gradient.

    Args:
        factor: $c \ge 0$; 1 changes nothing, and 0 trains only the last layer.
        depth: a tree of numbers $d \ge 0$ (or a prefix of the parameters' tree), or a function that
            returns one. The function receives the updates, which have the names of the parameters.

    Raises:
        ValueError: `factor` is negative or not finite, a depth is negative, or the depths do not
            fit the updates.
        TypeError: a depth is not a number, or a leaf is not floating-point.

    Example:
        >>> tx = scale_by_depth(0.5)
        >>> updates, _ = tx.update({f"Dense_{i}": 1.0 for i in range(3)}, tx.init(0.0))
        >>> [float(u) for u in updates.values()]
        [0.25, 0.5, 1.0]

    References:
        Howard and Ruder, [Universal Language Model Fine-tuning](https://arxiv.org/abs/1801.06146),
        2018, section 3.2, where the factor is 1 / 2.6.
    """
    check_range("factor", factor, low=0.0)
    if not callable(depth):
        _check_depths(depth)

    def init(params: PyTree) -> optax.EmptyState:
        check_floating_tree("params", params)
        return optax.EmptyState()

    def update(
        updates: PyTree,
        state: optax.EmptyState,
        params: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, optax.EmptyState]:
        del extra_args
        check_updates(updates, params)
        depths = depth(updates) if callable(depth) else depth
        _check_depths(depths)
        base = jnp.asarray(factor, float)

        def scale(number: ScalarLike, u: Array) -> Array:
            # At the base 0, powers below 1 have no finite slope: 0 ** 0 is 1, the others are 0.
            exponent = scalar_like(number, base)
            smooth = (base > 0) | (exponent >= 1)
            power = jnp.power(jnp.where(smooth, base, 1.0), exponent)
            multiplier = jnp.where(smooth, power, jnp.where(exponent == 0, 1.0, 0.0))
            # An update that is multiplied by 0 becomes 0, even if it is NaN or infinite.
            finite = jnp.where((multiplier == 0) & ~jnp.isfinite(u), 0, u)
            return finite * scalar_like(multiplier, finite)

        steps = jax.tree.map(scale, expand_prefix("depth", depths, updates), to_float32(updates))
        return cast_like(steps, updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def _check_depths(depths: PyTree) -> None:
    for path, number in jax.tree_util.tree_leaves_with_path(depths):
        check_range(f"depth{jax.tree_util.keystr(path)}", number, low=0.0)
