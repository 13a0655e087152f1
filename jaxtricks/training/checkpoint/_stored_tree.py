"""Storing the leaves of a tree as orbax arrays, with a description that is compared on reading."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jaxtricks.training.checkpoint._manifest import DamagedCheckpoint

SHOWN = 5
# What orbax raises for files that were changed; a device out of memory raises something else.
UNREADABLE = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


def describe(name: str, tree: PyTree) -> list[dict]:
    """Lists the path, shape and dtype of all leaves, None included, for JSON.

    Raises:
        TypeError: a leaf is not an array, a number, a random key or None.
        ValueError: there is no array with an element.
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_none)
    description = []
    for path, leaf in leaves:
        key = jax.tree_util.keystr(path)
        description.append({"path": key, **describe_leaf(f"{name}{key}", leaf)})
    if not any(is_stored(leaf) for _, leaf in leaves):
        raise ValueError(f"{name} must hold an array with an element, got {tree!r}.")
    return description


def describe_leaf(name: str, leaf: Any) -> dict:
    """Returns shape and dtype, and for JAX arrays a weak type and the algorithm of random keys."""
    if leaf is None or is_number(leaf):
        return {"shape": [], "dtype": type(leaf).__name__}
    if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct | np.ndarray | np.generic) or not (
        is_key(leaf) or any(jnp.issubdtype(leaf.dtype, kind) for kind in (jnp.number, jnp.bool_))
    ):
        raise TypeError(f"{name} must be an array, a number, a PRNG key or None, got {leaf!r}.")
    description: dict[str, Any] = {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}
    if isinstance(leaf, jax.Array) and is_key(leaf):
        description["key"] = str(jax.random.key_impl(leaf))
    if getattr(leaf, "weak_type", False):
        description["weak"] = True
    return description


def of_part(description: list[dict], part: str) -> list[dict]:
    """Returns the leaves below the path `part`, with their paths relative to it.

    `part` must end where a key of a path ends, not within a key.

    Raises:
        ValueError: there is no leaf below `part`.
    """
    below = [
        {**leaf, "path": leaf["path"][len(part) :]}
        for leaf in description
        if leaf["path"].startswith(part) and leaf["path"][len(part) :][:1] in ("", ".", "[")
    ]
    if not below:
        heads = dict.fromkeys(re.split(r"(?<=.)(?=[.[])", leaf["path"])[0] for leaf in description)
        names = ", ".join(heads)
        raise ValueError(
            f"part must be a path in the checkpoint that begins with one of {names}, got {part!r}."
        )
    return below


def check_same_description(saved: list[dict], like: list[dict]) -> None:
    """Checks that two descriptions have the same paths, shapes and dtypes.

    Raises:
        ValueError: they differ; the message names the paths.
    """
    old, new = ({leaf["path"]: spell(leaf) for leaf in leaves} for leaves in (saved, like))
    lines = [
        f"like{path}: saved {old.get(path, 'nothing')}, got {new.get(path, 'nothing')}"
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    ]
    if lines:
        more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        raise ValueError(f"like is not the tree that was saved: {'; '.join(lines[:SHOWN])}{more}.")


def spell(leaf: dict) -> str:
    """Writes a shape and dtype as JAX does, such as `float32[3,4]`."""
    return f"{leaf['dtype']}[{','.join(map(str, leaf['shape']))}]"


def stored_leaves(tree: PyTree) -> dict[str, jax.Array | np.ndarray]:
    """Returns the arrays to write, by the position of their leaf in the tree."""
    leaves = enumerate(jax.tree.leaves(tree, is_leaf=is_none))
    return {str(index): stored_form(leaf) for index, leaf in leaves if is_stored(leaf)}


def stored_form(leaf: Any) -> jax.Array | np.ndarray:
    """Returns what is written for a leaf: an array on the host, and for random keys their words.

    An array of which other processes hold a part stays on its devices.
    """
    if isinstance(leaf, jax.Array):
        leaf = jax.random.key_data(leaf) if is_key(leaf) else leaf
        return np.asarray(leaf) if leaf.is_fully_addressable else leaf
    return np.asarray(leaf)


def write_leaves(path: Path, leaves: dict[str, jax.Array | np.ndarray]) -> None:
    """Writes arrays with orbax; every process calls it, and each array is written once."""
    import orbax.checkpoint as ocp

    with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
        checkpointer.save(path, args=ocp.args.StandardSave(leaves))


def read_tree(path: Path, like: PyTree, description: list[dict], part: str) -> PyTree:
    """Reads the leaves below `part` into the structure and onto the devices of `like`.

    Raises:
        DamagedCheckpoint: the files are not arrays, or differ from the description.
    """
    import orbax.checkpoint as ocp

    leaves, structure = jax.tree_util.tree_flatten_with_path(like, is_leaf=is_none)
    numbered = [{**leaf, "index": str(i)} for i, leaf in enumerate(description)]
    chosen = {leaf["path"]: leaf for leaf in of_part(numbered, part)}
    pairs = [(leaf, chosen[jax.tree_util.keystr(path)]) for path, leaf in leaves]
    wanted = {saved["index"]: abstract_form(leaf) for leaf, saved in pairs if is_stored(leaf)}
    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
            how = ocp.checkpoint_utils.construct_restore_args(wanted)
            how = jax.tree.map(lambda one: dataclasses.replace(one, dtype=None), how)  # no casts
            wish = ocp.args.PyTreeRestore(wanted, how, partial_restore=True)
            arrays = checkpointer.restore(path, args=wish)
        for leaf, saved in pairs:
            if is_stored(leaf):
                check_read(saved, arrays[saved["index"]], wanted[saved["index"]])
    except UNREADABLE as error:
        raise DamagedCheckpoint(f"{path.name} cannot be read: {error}") from error
    values = [rebuild(leaf, saved, arrays.get(saved["index"])) for leaf, saved in pairs]
    return jax.tree.unflatten(structure, values)


def check_read(saved: dict, got: Any, wanted: Any) -> None:
    """Checks what orbax read for one leaf; if a leaf is missing, orbax returns `wanted` itself.

    Raises:
        DamagedCheckpoint: the leaf is missing or differs from the description; the message names
            it.
    """
    if got is wanted:
        raise DamagedCheckpoint(f"the leaf {saved['path']} is missing")
    shapes = [
        f"{x.dtype}[{','.join(map(str, x.shape))}]" if hasattr(x, "shape") else f"{x!r}"
        for x in (wanted, got)
    ]
    if shapes[0] != shapes[1]:
        raise DamagedCheckpoint(f"the leaf {saved['path']} must be {shapes[0]}, got {shapes[1]}")


def abstract_form(leaf: Any) -> jax.ShapeDtypeStruct | np.ndarray:
    """Returns what orbax reads a leaf into: host memory, or one part for each process."""
    if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        return np.asarray(leaf)
    form = jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf
    if leaf.sharding is None or leaf.sharding.is_fully_addressable:
        return np.broadcast_to(np.zeros((), form.dtype), form.shape)
    return jax.ShapeDtypeStruct(form.shape, form.dtype, sharding=leaf.sharding)


def rebuild(leaf: Any, saved: dict, value: Any) -> Any:
    """Converts what was read into the kind of `leaf`; None was not stored."""
    if leaf is None:
        return None
    if is_number(leaf):
        return value.item()
    if value is None:
        form = abstract_form(leaf)
        value = np.zeros(form.shape, form.dtype)
    if isinstance(leaf, np.ndarray | np.generic):
        return value if isinstance(leaf, np.ndarray) else value[()]
    if isinstance(value, np.ndarray):
        committed = getattr(leaf, "committed", True)
        value = weakly_typed(value) if saved.get("weak") else value
        value = jax.device_put(value, leaf.sharding if committed else None, may_alias=False)
    return with_key_type(value, saved) if "key" in saved else value


def with_key_type(words: jax.Array, saved: dict) -> jax.Array:
    """Makes random keys from their words.

    Raises:
        DamagedCheckpoint: the description names a kind of key that JAX does not know.
    """
    try:
        return jax.random.wrap_key_data(words, impl=saved["key"])
    except (ValueError, TypeError) as error:
        raise DamagedCheckpoint(f"the leaf {saved['path']} is not a key: {error}") from error


def weakly_typed(values: np.ndarray) -> jax.Array:
    """Makes a weakly typed JAX array, whose dtype gives way in promotions as a Python number's."""
    zero = jnp.asarray(np.zeros((), values.dtype).item())
    return jnp.broadcast_to(zero, values.shape).at[...].set(values)


def is_stored(leaf: Any) -> bool:
    """Says whether a leaf is written; orbax refuses arrays without elements."""
    return leaf is not None and 0 not in np.shape(leaf)


def is_number(leaf: Any) -> bool:
    """Says whether a leaf is a Python number; `np.float64`, a subclass of float, does not count."""
    return isinstance(leaf, bool | int | float) and not isinstance(leaf, np.generic)


def is_key(leaf: Any) -> bool:
    """Says whether a leaf holds typed random keys."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def is_none(leaf: Any) -> bool:
    """Says whether a leaf is None; as `is_leaf` it makes None a leaf."""
    return leaf is None
