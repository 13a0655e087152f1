"""Finding the parameters of the units that dropout has kept."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path, tree_map_with_path
from jaxtyping import Array, Bool, PyTree

from jaxtricks._checks import check_instance, shown
from jaxtricks._types import ArrayLike


def keep_present(
    params: Mapping[str, PyTree],
    units: Mapping[tuple[str | None, str | None], Bool[Array | np.ndarray, " units"]],
) -> PyTree:
    """Makes the argument `keep` of `freeze_dropped` from the units that dropout has kept.

    When a unit $j$ between two layers is dropped, three things must not change: its column of the
    kernel of the layer before, its bias, and its row of the kernel of the layer after. A weight
    from unit $i$ to unit $j$ is therefore updated if both are present, $k_{ij} = u_i u_j$. If the
    layer after reads a flattened image, it has a row for each position and channel, channel last,
    and the rows of a dropped channel stay the same at all positions. Between the two layers there
    may only be operations that treat each unit by itself, such as an activation or a pooling. A
    layer norm, for example, mixes the units.

    Args:
        params: the parameters of a Flax model, by layers. The units of a layer are the last axis of
            all its arrays, and the last axis but one of the kernel of the layer after.
        units: maps a layer and the layer after it, such as `("Dense_0", "Dense_1")`, to the units
            between them that are present: an array of one bool for each unit, or of one bool for
            all, such as `regularizers.present_units` returns. A layer inside others is named by its
            path, `"Block_0/Dense_0"`. If the first name is None, only the kernel of the second
            layer is masked; use this for dropped inputs, and for a further layer that reads the
            same units. If the second name is None, only the arrays of the first layer are masked;
            use this for a batch norm between two layers: `("BatchNorm_0", None)`.

    Returns:
        A tree like `params`: bools that broadcast to the array, for each array that holds
        parameters of these units, and None for the others.

    Raises:
        ValueError: a name is not that of a layer, a layer has another number of units, or the
            second layer has no kernel or one whose number of rows is not a multiple of the units.
        TypeError: `params` or `units` is not a mapping, a key of `units` is not a pair of names, or
            a value is not a vector of bools.

    Example:
        >>> layer = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
        >>> units = {("Dense_0", "Dense_1"): jnp.array([True, False])}
        >>> keep = keep_present({"Dense_0": layer, "Dense_1": layer}, units)
        >>> for name, array in keep["Dense_0"].items():
        ...     print(name, array.astype(int))
        bias [1 0]
        kernel [[1 0]]
        >>> keep["Dense_1"]["bias"], keep["Dense_1"]["kernel"].tolist()
        (None, [[True], [False]])

    References:
        Srivastava et al., [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 5.1.
    """
    check_instance("params", params, Mapping)
    check_instance("units", units, Mapping)
    names = [keystr(path, simple=True, separator="/") for path, _ in tree_leaves_with_path(params)]
    for pair, present in units.items():
        check_layers(pair, set(names))
        check_bools(f"units[{pair!r}]", present)

    def of_leaf(path: tuple, leaf: ArrayLike) -> Bool[Array, "..."] | None:
        layer, _, name = keystr(path, simple=True, separator="/").rpartition("/")
        found = []
        for pair, present in units.items():
            label = f"units[{pair!r}]"
            if pair[0] == layer:
                found.append(place_units(label, path, present, jnp.shape(leaf), -1))
            if pair[1] == layer and name == "kernel":
                found.append(place_units(label, path, present, jnp.shape(leaf), -2))
        return functools.reduce(jnp.logical_and, found) if found else None

    return tree_map_with_path(of_leaf, params)


def check_layers(pair: object, leaves: set[str]) -> None:
    """Checks the names of two layers, of which the second has a kernel.

    Raises:
        TypeError: `pair` is not a pair of names.
        ValueError: no layer has such a name, or the second has no kernel.
    """
    named = isinstance(pair, tuple) and len(pair) == 2
    if not named or not all(name is None or isinstance(name, str) for name in pair):
        raise TypeError(f"units must have pairs of names as keys, got {shown(pair)}.")
    before, after = pair
    layers = {leaf.rpartition("/")[0] for leaf in leaves}
    if before is not None and before not in layers:
        raise ValueError(f"units must name layers of params, {sorted(layers)}, got {before!r}.")
    if after is not None and f"{after}/kernel" not in leaves:
        kernels = sorted(layer for layer in layers if f"{layer}/kernel" in leaves)
        raise ValueError(
            f"units must name layers of params with a kernel, {kernels}, got {after!r}."
        )


def check_bools(name: str, value: object) -> None:
    """Checks a vector of bools.

    Raises:
        TypeError: `value` is not a vector of bools.
    """
    array = isinstance(value, np.ndarray | jax.Array) and value.ndim == 1
    if not array or value.dtype != bool:  # pyrefly: ignore[missing-attribute]
        raise TypeError(f"{name} must be a vector of bools, got {shown(value)}.")


def place_units(
    label: str,
    path: tuple,
    present: Bool[Array | np.ndarray, " units"],
    shape: tuple[int, ...],
    axis: int,
) -> Bool[Array, "..."]:
    """Places the bools of the units along one axis, repeated if the layer reads a flattened image.

    Raises:
        ValueError: the array has another number of units.
    """
    size = shape[axis] if len(shape) >= -axis else 0
    some = len(present) and size
    fits = some and (len(present) in (1, size) or axis == -2 and size % len(present) == 0)
    if not fits:
        raise ValueError(
            f"{label} must hold one bool for each unit of params{keystr(path)}, whose shape is "
            f"{shape}, got {len(present)} bools."
        )
    line = jnp.tile(present, 1 if len(present) == 1 else size // len(present))
    place = [1] * len(shape)
    place[axis] = len(line)
    return line.reshape(place)
