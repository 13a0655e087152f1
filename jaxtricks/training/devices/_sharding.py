"""Placing batches and states: divided among devices, or copied to each of them."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_instance, shown
from jaxtricks._tree_checks import check_real_tree


def data_sharding(devices: Sequence[jax.Device] | None = None) -> NamedSharding:
    """Makes the sharding that divides the first axis of a batch among devices.

    Args:
        devices: the devices to use; None means all devices of all processes.

    Raises:
        TypeError: `devices` is not a sequence of devices.
        ValueError: `devices` is empty.

    Example:
        >>> tuple(data_sharding(jax.devices()[:1]).spec)
        ('data',)
    """
    check_devices(devices)
    mesh = Mesh(np.array(jax.devices() if devices is None else devices), ("data",))
    return NamedSharding(mesh, PartitionSpec("data"))


def replicated(sharding: NamedSharding) -> NamedSharding:
    """Makes the sharding that keeps a whole copy of every array on each device.

    Args:
        sharding: a sharding from `data_sharding`; its devices are used.

    Raises:
        TypeError: `sharding` is not a `NamedSharding`.

    Example:
        >>> tuple(replicated(data_sharding()).spec)
        ()
    """
    check_instance("sharding", sharding, NamedSharding)
    return NamedSharding(sharding.mesh, PartitionSpec())


def place_batch(batch: PyTree, sharding: NamedSharding) -> PyTree:
    """Puts a batch on the devices of a sharding; each process passes its own rows.

    Args:
        batch: a tree of arrays with the rows of this process: all rows if there is one process,
            otherwise the rows for the devices of this process, in the order of the devices. A
            single number, which has no axis of examples, is copied to each device.
        sharding: from `data_sharding`.

    Returns:
        The batch as JAX arrays.

    Raises:
        TypeError: `sharding` is not a `NamedSharding`, or a leaf is not an array of real numbers.
        ValueError: the rows cannot be divided equally among the devices of this process, or a
            number in them does not fit into the dtype to which JAX converts it.

    Example:
        >>> placed = place_batch({"x": np.arange(4.0)}, data_sharding(jax.devices()[:1]))
        >>> tuple(placed["x"].sharding.spec), placed["x"].tolist()
        (('data',), [0.0, 1.0, 2.0, 3.0])
    """
    check_instance("sharding", sharding, NamedSharding)
    check_real_tree("batch", batch)
    check_divisible(batch, len(sharding.addressable_devices))
    check_rows_fit(batch if isinstance(batch, Mapping) else {"batch": batch})
    return jax.tree.map(
        lambda x, where: jax.make_array_from_process_local_data(where, np.asarray(x)),
        batch,
        batch_shardings(batch, sharding),
    )


def batch_shardings(batch: PyTree, sharding: NamedSharding) -> PyTree:
    """Returns a sharding for each array of a batch: rows are divided, a single number is copied."""
    return jax.tree.map(lambda x: sharding if np.ndim(x) else replicated(sharding), batch)


def place(tree: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Puts a copy of a whole tree on each device; None means JAX's default device."""
    if sharding is None:
        return jax.device_put(tree)
    everywhere = replicated(sharding)
    if sharding.is_fully_addressable:
        return jax.device_put(tree, everywhere)
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(everywhere, np.asarray(x)), tree
    )


def replicate(tree: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Inside a program, puts a whole result on each device, where every process can read it."""
    if sharding is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, replicated(sharding))


def block_on_cpu(out: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Waits for results on several CPU devices, where two pending collectives can deadlock."""
    if sharding is not None and sharding.num_devices > 1:
        if next(iter(sharding.device_set)).platform == "cpu":
            jax.block_until_ready(out)
    return out


def check_divisible(batch: PyTree, devices: int) -> None:
    """Checks that the rows of a batch can be divided equally among devices.

    Raises:
        ValueError: they cannot, or no array has an axis of examples.
    """
    sizes = [len(leaf) for leaf in jax.tree.leaves(batch) if np.ndim(leaf)]
    if not sizes:
        raise ValueError(f"batch must hold arrays with an axis of examples, got {shown(batch)}.")
    size = sizes[0]
    if size % devices:
        raise ValueError(f"a batch of {size} examples cannot be divided among {devices} devices.")


def check_devices(devices: Sequence[jax.Device] | None) -> None:
    """Checks that `devices` is a sequence of devices and not empty, or None.

    Raises:
        TypeError: it is something else.
        ValueError: it is empty.
    """
    if devices is None:
        return
    check_instance("devices", devices, Sequence)
    for index, device in enumerate(devices):
        check_instance(f"devices[{index}]", device, jax.Device)
    if not devices:
        raise ValueError("devices must not be empty.")
