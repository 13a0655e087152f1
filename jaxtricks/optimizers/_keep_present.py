"""Which parameters belong to units that dropout left."""

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
    r"""Makes the `keep` of `freeze_dropped` from the units that are present.

    Of a unit $j$ between two layers three things stay if it is dropped: its column of the kernel
    before, its bias, and its row of the kernel behind. So a weight from unit $i$ to unit $j$ is
    updated if both are present, $k_{ij} = u_i u_j$. If the layer behind a flattened image has a row
    for each position and channel, channel last, the rows of a dropped channel stay at all
    positions. Between two layers that are named together, only what treats each unit by itself may
    stand, such as an activation or a pooling; a layer norm mixes them.

    Args:
        params: the parameters of a Flax model, by layers. Units are the last axis of all that a
            layer holds, and the last but one of the kernel behind.
        units: for a layer and the one behind it, such as `("Dense_0", "Dense_1")`, which of the
            units between them are present: a bool for each unit, or one for all; `present_units`
            gives it. The name of a layer inside of others is a path, `"Block_0/Dense_0"`. None in
            place of the first name is for inputs, and for a further layer that reads the same
            units; in place of the second for a layer whose units go on through another, such as a
            batch norm: `("BatchNorm_0", None)`.

    Returns:
        A tree like `params`: for each array that holds parameters of these units, bools that
        broadcast to it, and None for the others.

    Raises:
        ValueError: a name is not that of a layer, a layer has another number of units, or the one
            behind has no kernel whose rows are a multiple of it.
        TypeError: `params` or `units` is no mapping, a key of it no pair of names, or a value no
            vector of bools.

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
                found.append(along(label, path, present, jnp.shape(leaf), -1))
            if pair[1] == layer and name == "kernel":
                found.append(along(label, path, present, jnp.shape(leaf), -2))
        return functools.reduce(jnp.logical_and, found) if found else None

    return tree_map_with_path(of_leaf, params)


def check_layers(pair: object, leaves: set[str]) -> None:
    """Checks the names of two layers, the second of which has a kernel.

    Raises:
        TypeError: `pair` is no pair of names.
        ValueError: no layer has such a name, or there is no kernel.
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
        TypeError: it is something else.
    """
    array = isinstance(value, np.ndarray | jax.Array) and value.ndim == 1
    if not array or value.dtype != bool:  # pyrefly: ignore[missing-attribute]
        raise TypeError(f"{name} must be a vector of bools, got {shown(value)}.")


def along(
    label: str,
    path: tuple,
    present: Bool[Array | np.ndarray, " units"],
    shape: tuple[int, ...],
    axis: int,
) -> Bool[Array, "..."]:
    """The units along one axis of an array, repeated behind a flattened image.

    Raises:
        ValueError: the array has another number of units.
    """
    size = shape[axis] if len(shape) >= -axis else 0
    some = len(present) and size
    fits = some and (len(present) in (1, size) or axis == -2 and size % len(present) == 0)
    if not fits:
        raise ValueError(
            f"{label} must be one bool for each unit of params{keystr(path)}, of the shape "
            f"{shape}, got {len(present)}."
        )
    line = jnp.tile(present, 1 if len(present) == 1 else size // len(present))
    place = [1] * len(shape)
    place[axis] = len(line)
    return line.reshape(place)
