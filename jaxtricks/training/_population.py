"""Many training runs as one compiled program."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree, Shaped

from jaxtricks._checks import check_choice, check_function, check_instance, check_integer
from jaxtricks._tree_checks import is_array
from jaxtricks.training.devices._sharding import check_devices


def train_population(
    run: Callable[..., PyTree],
    keys: Shaped[Array, " trials"],
    hyper_parameters: PyTree,
    *,
    states: PyTree = None,
    shared: tuple[PyTree, ...] = (),
    mapping: Literal["map", "vmap"] | None = None,
    chunk: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> PyTree:
    """Calls a function for many trials, each with its own key, all in one compiled program.

    Each call is `run(key, hyper_parameters, *shared)` or, with `states`,
    `run(key, hyper_parameters, state, *shared)`. If `run` returns the `position` of `training.run`,
    a later call can pass these positions as `states`, and `run` passes its own on as `start`: the
    runs continue where they ended, up to the rounding differences between programs of different
    lengths.

    The trials are divided among the devices. On each device, `"map"` runs them one after another,
    and `"vmap"` runs all at once, or `chunk` of them at a time. Trial i sees only `keys[i]`, row i
    of `hyper_parameters` and `states`, and `shared`, so its results do not depend on the order of
    the trials or on how they are divided among devices and calls. With `"map"` this holds bit for
    bit. With `"vmap"`, and between one CPU device and several, it holds up to rounding, because
    large sums may be divided differently; training can amplify such a difference.

    A run that stops early (`training.run` with a stopping rule) ends at once with `"map"`; with
    `"vmap"` its state is frozen while the other runs continue. A second call with the same function
    object `run` and the same shapes compiles nothing.

    Args:
        run: a pure function that JAX can trace, such as one that makes its trainer and calls
            `training.run`.
        keys: one typed key per trial, such as `jax.random.split(key, trials)`.
        hyper_parameters: a tree of arrays whose first axis is the trial.
        states: a tree of arrays whose first axis is the trial, such as the positions that an
            earlier call returned; with None, `run` gets no state.
        shared: a tuple of further arguments, the same for all trials. Pass the data here: arrays
            over which `run` closes would be compiled into the program as constants.
        mapping: `"map"`, `"vmap"`, or None for `"map"` on CPUs and `"vmap"` on accelerators. On a
            CPU the matrix products of one trial already use the whole core, and one `vmap` over all
            trials is about half as fast.
        chunk: how many trials `"vmap"` runs at a time on each device, to limit memory; None means
            all trials of the device.
        devices: the devices to use; None means all devices of this process. A CPU counts as one
            device unless `jax_num_cpu_devices` is set, for example to the number of cores, before
            JAX is first used.

    Returns:
        The results of `run` with a leading axis of trials, as NumPy arrays; keys stay JAX arrays.

    Raises:
        ValueError: there are no trials, `keys`, `hyper_parameters` and `states` differ in length,
            `mapping` is unknown, `chunk` is below 1, `devices` is empty, or a device belongs to
            another process.
        TypeError: `keys` are not typed keys, a leaf of `hyper_parameters` or `states` has no axis
            of trials, `run` is not a function, `shared` is not a tuple, or `devices` is not a
            sequence.

    Example:
        >>> def run(key, rate):
        ...     return rate * 2
        >>> keys = jax.random.split(jax.random.key(0), 3)
        >>> train_population(run, keys, jnp.array([1.0, 2.0, 3.0])).tolist()
        [2.0, 4.0, 6.0]
    """
    check_function("run", run)
    check_instance("shared", shared, tuple)
    check_devices(devices)
    check_own(devices)
    if not jnp.issubdtype(getattr(keys, "dtype", None), jax.dtypes.prng_key) or keys.ndim != 1:
        raise TypeError(f"keys must be a vector of typed keys (jax.random.split), got {keys!r}.")
    if not len(keys):
        raise ValueError("keys must not be empty.")
    check_rows("hyper_parameters", hyper_parameters, len(keys))
    check_rows("states", states, len(keys))
    if mapping is not None:
        check_choice("mapping", mapping, ("map", "vmap"))
    if chunk is not None:
        check_integer("chunk", chunk, low=1)
    mesh = Mesh(
        np.array(jax.local_devices() if devices is None else devices)[: len(keys)], ("trials",)
    )
    if mapping is None:
        mapping = "map" if mesh.devices.flat[0].platform == "cpu" else "vmap"
    rows = np.minimum(np.arange(-(-len(keys) // mesh.size) * mesh.size), len(keys) - 1)
    trials = (keys, hyper_parameters) if states is None else (keys, hyper_parameters, states)
    if len(rows) > len(keys):  # copies of the last trial give each device equally many
        trials = jax.tree.map(lambda x: jnp.asarray(x)[rows], trials)
    trials = jax.device_put(trials, NamedSharding(mesh, PartitionSpec("trials")))
    shared = jax.device_put(shared, NamedSharding(mesh, PartitionSpec()))
    out = _all_trials(run, mesh, 1 if mapping == "map" else chunk or len(rows), trials, shared)
    return jax.tree.map(lambda x: _to_host(x)[: len(keys)], out)


def check_own(devices: Sequence[jax.Device] | None) -> None:
    """Checks that all devices belong to this process.

    Raises:
        ValueError: a device belongs to another process.
    """
    for device in devices or ():
        if device.process_index != jax.process_index():
            raise ValueError(f"devices must be of this process, got {device}.")


def check_rows(name: str, tree: PyTree, trials: int) -> None:
    """Checks that each leaf has one row for each trial.

    Raises:
        TypeError: a leaf is not an array, or has no axis.
        ValueError: the first axis of a leaf has another length.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        label = f"{name}{jax.tree_util.keystr(path)}"
        if not is_array(leaf) or not jnp.ndim(leaf):
            raise TypeError(
                f"{label} must be an array with an axis of trials, got {leaf!r}: write a list of "
                "numbers as jnp.array([...])."
            )
        if len(leaf) != trials:
            raise ValueError(f"{label} must have a row for each of {trials} keys, got {len(leaf)}.")


@partial(jax.jit, static_argnums=(0, 1, 2))
def _all_trials(run: Callable, mesh: Mesh, size: int, trials: PyTree, shared: PyTree) -> PyTree:
    def one(trial: Any, shared: PyTree) -> PyTree:
        return run(*trial, *shared)

    def local(trials: PyTree, shared: PyTree) -> PyTree:
        if size == 1:
            return jax.lax.map(lambda trial: one(trial, shared), trials)
        return jax.lax.map(lambda trial: one(trial, shared), trials, batch_size=size)

    split, everywhere = PartitionSpec("trials"), PartitionSpec()
    return jax.shard_map(
        local, mesh=mesh, in_specs=(split, everywhere), out_specs=split, check_vma=False
    )(trials, shared)


def _to_host(x: Array) -> Any:
    return x if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else np.asarray(x)
