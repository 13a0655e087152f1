"""The same step compiled for one device, for several under `jit`, and for several under `pmap`."""

from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_instance
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep


def jit_step(step: TrainStep) -> TrainStep:
    """Compiles a step for one device. The state given to it is donated: use the one it returns.

    The state given is used up, with the caller's arrays in it where they lay on these devices.

    Args:
        step: from `make_train_step` with `axis_name=None`.

    Example:
        >>> fast = jit_step(lambda state, batch, key: (state + batch, {}))
        >>> fast(np.float32(1), np.float32(2), jax.random.key(0))[0].item()
        3.0
    """
    return jax.jit(step, donate_argnums=0)


def data_sharding(devices: Sequence[jax.Device] | None = None) -> NamedSharding:
    """Divides the first axis of a batch among devices; None means all of them.

    Example:
        >>> tuple(data_sharding(jax.devices()[:1]).spec)
        ('data',)
    """
    mesh = Mesh(np.array(jax.devices() if devices is None else devices), ("data",))
    return NamedSharding(mesh, PartitionSpec("data"))


def whole(tree: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Has all of a result on each device, where every process can read it."""
    if sharding is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, replicated(sharding))


def replicated(sharding: NamedSharding) -> NamedSharding:
    """Keeps all of every array on each of the devices of a sharding.

    Example:
        >>> tuple(replicated(data_sharding()).spec)
        ()
    """
    return NamedSharding(sharding.mesh, PartitionSpec())


def place(batch: PyTree, sharding: NamedSharding) -> PyTree:
    """Puts a batch on the devices of a sharding, each process its own rows.

    Args:
        batch: the rows of this process: of one process all, of several the part that its devices
            hold, in the order of the devices.
        sharding: from `data_sharding`.

    Raises:
        ValueError: the rows cannot be divided equally.

    Example:
        >>> placed = place({"x": np.arange(4.0)}, data_sharding(jax.devices()[:1]))
        >>> tuple(placed["x"].sharding.spec), placed["x"].tolist()
        (('data',), [0.0, 1.0, 2.0, 3.0])
    """
    check_divisible(batch, len(sharding.addressable_devices), "devices")
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), batch
    )


def shard_step(step: TrainStep, sharding: NamedSharding) -> TrainStep:
    """Compiles a step for several devices: the state on each of them, the batch divided.

    Sums, gradients, batch-norm statistics and random draws are those of the whole batch, as on one
    device: the compiler adds the communication. The default for many devices, and for many
    processes, where the batch comes from `place`.

    The state given is used up, with the caller's arrays in it where they lay on these devices.

    Args:
        step: from `make_train_step` with `axis_name=None`.
        sharding: from `data_sharding`.

    Raises:
        ValueError: when called, if the batch cannot be divided among the devices.

    Example:
        >>> import optax
        >>> from jaxtricks.training import init_state, make_train_step
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> tx, batch = optax.sgd(0.25), {"x": np.array([1.0, 3.0], np.float32)}
        >>> step = shard_step(make_train_step(loss, tx), data_sharding(jax.devices()[:1]))
        >>> state, _ = step(init_state(np.zeros((), np.float32), tx), batch, jax.random.key(0))
        >>> float(state.params)
        1.0

    References:
        "Scale": the same step under `jit` with a mesh.
    """
    check_instance("sharding", sharding, NamedSharding)
    whole = replicated(sharding)
    compiled = jax.jit(
        step,
        in_shardings=(whole, sharding, whole),
        out_shardings=(whole, whole),
        donate_argnums=0,
    )

    def sharded(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        check_divisible(batch, sharding.num_devices, "devices")
        return finished(compiled(spread(state, whole), spread(batch, sharding), key), sharding)

    return sharded


def pmap_step(
    step: TrainStep, *, axis_name: str = "devices", devices: Sequence[jax.Device] | None = None
) -> TrainStep:
    """Maps a step over devices, each with its share of the batch and its own random draws.

    Sums and gradients are added up under `axis_name`, and so are the statistics of a batch norm
    that knows it. State and metrics are the same on every device and come back once. The state
    given is used up.

    Args:
        step: from `make_train_step` with this `axis_name`.
        axis_name: of the mapped axis.
        devices: None means all of this process.

    Raises:
        ValueError: when called, if the batch cannot be divided among the devices, or the step sums
            nothing over several of them.

    Example:
        >>> import optax
        >>> from jaxtricks.training import init_state, make_train_step
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> tx, batch = optax.sgd(0.25), {"x": np.array([1.0, 3.0], np.float32)}
        >>> step = make_train_step(loss, tx, axis_name="devices")
        >>> mapped = pmap_step(step, devices=jax.devices()[:1])
        >>> state, _ = mapped(init_state(np.zeros((), np.float32), tx), batch, jax.random.key(0))
        >>> float(state.params)
        1.0
    """
    devices = jax.local_devices() if devices is None else list(devices)

    def summing(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        # Without sums the first device's share alone would train, and nothing would show it.
        if len(devices) > 1 and "psum" not in str(jax.make_jaxpr(step)(state, batch, key)):
            raise ValueError(
                "step must sum over the devices: make_train_step(..., "
                f"axis_name={axis_name!r}), got one that does not."
            )
        return step(state, batch, key)

    mapped = jax.pmap(
        summing,
        axis_name=axis_name,
        devices=devices,
        in_axes=(None, 0, None),
        out_axes=None,
        donate_argnums=0,
    )

    def parallel(
        state: TrainState, batch: Batch, key: Key[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        check_divisible(batch, len(devices), "devices")
        parts = jax.tree.map(lambda x: x.reshape(len(devices), -1, *x.shape[1:]), batch)
        return finished(mapped(state, parts, key), data_sharding(devices))

    return parallel


def check_divisible(batch: PyTree, parts: int, what: str) -> None:
    """Checks that the batch has as many rows for each device.

    Raises:
        ValueError: it has not.
    """
    size = len(jax.tree.leaves(batch)[0])
    if size % parts:
        raise ValueError(f"a batch of {size} examples cannot be divided among {parts} {what}.")


def spread(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Moves what is not there yet, and only where one process holds everything."""
    if not sharding.is_fully_addressable:
        return tree
    return jax.device_put(tree, sharding)


def finished(out: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Waits on several CPU devices, where two collectives in flight can block each other."""
    if sharding is None:
        return out
    if sharding.num_devices > 1 and next(iter(sharding.device_set)).platform == "cpu":
        jax.block_until_ready(out)
    return out
