"""Finding the units that dropout keeps for at least one example of a batch."""

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
    r"""Returns for each unit whether dropout keeps it for at least one example of nonzero weight.

    $u_j = \bigvee_i\,(w_i \neq 0) \wedge r_{ij}$, where $r$ is the mask and $w$ the weights of the
    examples. A unit is missing from the whole update only if every example of nonzero weight drops
    it at every position. If each of $n$ examples draws its own mask with the dropout rate $p$, the
    probability of this is $p^n$. So it happens in batches of a few examples, or where the whole
    batch shares a mask. `optimizers.keep_present` takes the result in its argument `units`.

    Args:
        masks: the masks that one `Dropout` layer has sown, such as `sown["masks"]["Dropout_0"]` of
            `y, sown = model.apply(..., train=True, mutable=["masks"])`. They are an array
            `[batch, ..., units]`, True where an entry is kept, or a tree of such arrays, one for
            each call of the layer; a unit counts as kept if one call keeps it. An axis along which
            entries share a draw has size 1. `nn.scan` and `nn.vmap` stack the masks of several
            layers: pass those of one layer at a time.
        weight: the weight of each example, `[batch]`; examples of weight 0 are ignored.

    Returns:
        A bool for each unit, or a single bool if all units share the mask. All are False if every
        weight is 0.

    Raises:
        ValueError: there is no mask, the masks belong to several layers, a mask does not have the
            axes `[batch, ..., units]`, or `weight` does not have one axis.
        TypeError: a mask does not hold bools, or `weight` does not hold real numbers.

    Example:
        Both examples drop the first unit. Only the first example drops the third unit.

        >>> mask = jnp.array([[False, True, False], [False, True, True]])
        >>> present_units(mask, jnp.array([1.0, 0.0])).tolist()
        [False, True, False]
        >>> present_units(mask, jnp.array([1.0, 1.0])).tolist()
        [False, True, True]
    """
    counts = real_array("weight", weight) != 0
    if counts.ndim != 1:
        raise ValueError(f"weight must have one axis, the examples, got {counts.ndim} axes.")
    leaves = tree_leaves_with_path(masks)
    layers = {tuple(key.key for key in path if isinstance(key, DictKey)) for path, _ in leaves}
    if len(layers) > 1:
        names = sorted("/".join(map(str, layer)) for layer in layers)
        raise ValueError(f"masks must be those of one layer, got those of {', '.join(names)}.")
    found = [present(f"masks{keystr(path)}", mask, counts) for path, mask in leaves]
    if not found:
        raise ValueError(
            "masks must hold a mask, got none: call apply with train=True and mutable=['masks'], "
            "and pass the collection 'masks' of one Dropout layer."
        )
    if len({len(units) for units in found} - {1}) > 1:
        raise ValueError(
            f"masks must have the same number of units, got {[len(units) for units in found]}."
        )
    return functools.reduce(jnp.logical_or, found)


def present(name: str, mask: object, counts: Bool[Array, " batch"]) -> Bool[Array, " units"]:
    """Returns for each unit whether one mask keeps it for an example that counts.

    Raises:
        TypeError: the mask does not hold bools.
        ValueError: the mask does not have an axis of examples and an axis of units.
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
