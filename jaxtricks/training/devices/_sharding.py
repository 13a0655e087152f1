"""Where batches and states lie: divided among devices, or whole on each of them."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_instance, shown
from jaxtricks._tree_checks import check_real_tree


def data_sharding(devices: Sequence[jax.Device] | None = None) -> NamedSharding:
    """Divides the first axis of a batch among devices; None means all of them.

    Raises:
        TypeError: `devices` is not a sequence of devices.
        ValueError: it is empty.

    Example:
        >>> tuple(data_sharding(jax.devices()[:1]).spec)
        ('data',)
    """
    check_devices(devices)
    mesh = Mesh(np.array(jax.devices() if devices is None else devices), ("data",))
    return NamedSharding(mesh, PartitionSpec("data"))


def replicated(sharding: NamedSharding) -> NamedSharding:
    """Keeps all of every array on each of the devices of a sharding.

    Example:
        >>> tuple(replicated(data_sharding()).spec)
        ()
    """
    check_instance("sharding", sharding, NamedSharding)
    return NamedSharding(sharding.mesh, PartitionSpec())


def place_batch(batch: PyTree, sharding: NamedSharding) -> PyTree:
    """Puts a batch on the devices of a sharding, each process its own rows.

    Args:
        batch: the rows of this process: of one process all, of several the part that its devices
            hold, in the order of the devices. A number alone goes to each device.
        sharding: from `data_sharding`.

    Raises:
        ValueError: the rows cannot be divided equally, or a number in them does not fit into the
            dtype in which JAX holds it.

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
    """Where each array of a batch goes: rows are divided, a number for all of them is on each."""
    return jax.tree.map(lambda x: sharding if np.ndim(x) else replicated(sharding), batch)


def place(tree: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Puts all of a tree on each device."""
    if sharding is None:
        return jax.device_put(tree)
    everywhere = replicated(sharding)
    if sharding.is_fully_addressable:
        return jax.device_put(tree, everywhere)
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(everywhere, np.asarray(x)), tree
    )


def replicate(tree: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Inside a program: has all of a result on each device, where every process can read it."""
    if sharding is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, replicated(sharding))


def block_on_cpu(out: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Waits on several CPU devices, where two collectives in flight can block each other."""
    if sharding is not None and sharding.num_devices > 1:
        if next(iter(sharding.device_set)).platform == "cpu":
            jax.block_until_ready(out)
    return out


def check_divisible(batch: PyTree, devices: int) -> None:
    """Checks that the batch has as many rows for each device.

    Raises:
        ValueError: it has not.
    """
    sizes = [len(leaf) for leaf in jax.tree.leaves(batch) if np.ndim(leaf)]
    if not sizes:
        raise ValueError(f"batch must hold arrays with an axis of examples, got {shown(batch)}.")
    size = sizes[0]
    if size % devices:
        raise ValueError(f"a batch of {size} examples cannot be divided among {devices} devices.")


def check_devices(devices: Sequence[jax.Device] | None) -> None:
    """Checks a sequence of devices that is not empty; None passes and means all.

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
