"""Which units are present in a batch under dropout."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey, keystr, tree_leaves_with_path
from jaxtyping import Array, Bool, PyTree, Shaped

from jaxtricks._array_checks import real_array
from jaxtricks._checks import shown


def present_units(
    masks: PyTree, weight: Shaped[Array | np.ndarray, " batch"]
) -> Bool[Array, " units"]:
    r"""Says of each unit whether dropout left it to one or more of the examples that count.

    $u_j = \bigvee_i\,(w_i \neq 0) \wedge r_{ij}$ with $r$ the mask and $w$ the examples' weights. A
    unit is dropped from the whole update only if every example of weight other than 0 drops it, at
    every position. If each of $n$ draws its own mask, that has the probability $p^n$: it happens in
    batches of a few examples, or where the batch shares a mask.

    Args:
        masks: what one `Dropout` layer has sown, such as `sown["masks"]["Dropout_0"]`: the mask
            `[batch, ..., units]`, True where an entry stays, or a tree of the masks of several
            calls, of which one suffices. An axis along which the mask is shared has size 1. Masks
            that `nn.scan` or `nn.vmap` has stacked are several layers': take one by one.
        weight: the weight of each example; examples of weight 0 do not count.

    Returns:
        A bool for each unit, or a single one if all units share the mask. All are False if no
        example counts.

    Raises:
        ValueError: there is no mask, they are of several layers, one does not have the axes
            `[batch, ..., units]`, or `weight` has more axes than one.
        TypeError: a mask holds no bools, or `weight` no real numbers.

    Example:
        The first unit is dropped by both examples, the third only by the one that counts.

        >>> mask = jnp.array([[False, True, False], [False, True, True]])
        >>> present_units(mask, jnp.array([1.0, 0.0])).tolist()
        [False, True, False]
        >>> present_units(mask, jnp.array([1.0, 1.0])).tolist()
        [False, True, True]
    """
    counts = real_array("weight", weight) != 0
    if counts.ndim != 1:
        raise ValueError(f"weight must have one axis, of the examples, got {counts.ndim}.")
    leaves = tree_leaves_with_path(masks)
    layers = {tuple(key.key for key in path if isinstance(key, DictKey)) for path, _ in leaves}
    if len(layers) > 1:
        names = sorted("/".join(map(str, layer)) for layer in layers)
        raise ValueError(f"masks must be those of one layer, got those of {', '.join(names)}.")
    found = [present(f"masks{keystr(path)}", mask, counts) for path, mask in leaves]
    if not found:
        raise ValueError(
            "masks must hold a mask, got none: Dropout sows it in training, in the collection "
            '"masks", if that is among the mutable ones.'
        )
    if len({len(units) for units in found} - {1}) > 1:
        raise ValueError(
            f"masks must all be of the same units, got {[len(units) for units in found]} of them."
        )
    return functools.reduce(jnp.logical_or, found)


def present(name: str, mask: object, counts: Bool[Array, " batch"]) -> Bool[Array, " units"]:
    """Of one mask.

    Raises:
        TypeError: it holds no bools.
        ValueError: it has no axis of examples and one of units.
    """
    if not isinstance(mask, np.ndarray | jax.Array) or mask.dtype != bool:
        raise TypeError(f"{name} must be an array of bools, got {shown(mask)}.")
    if mask.ndim < 2 or mask.shape[0] not in (1, len(counts)):
        raise ValueError(
            f"{name} must have the axes [batch, ..., units], and weight one number for each "
            f"example, got the shapes {mask.shape} and {counts.shape}."
        )
    column = counts.reshape(-1, *(1,) * (mask.ndim - 1))
    return jnp.any(mask & column, axis=tuple(range(mask.ndim - 1)))
