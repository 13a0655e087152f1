"""The train step, mapped over devices, each with its own part of the batch."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_functions
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._distinct import distinct
from jaxtricks.training.devices._sharding import (
    block_on_cpu,
    check_devices,
    check_divisible,
    data_sharding,
)


def pmap_step(trainer: Trainer, *, devices: Sequence[jax.Device] | None = None) -> TrainStep:
    """Compiles a step by `jax.pmap`: each device has its own part of the batch and random draws.

    Pass the whole batch, without an axis of devices: the step divides its rows. Gradients and
    metrics are summed over the devices. Batch-norm statistics are those of the whole batch only if
    the layer has the `axis_name` of the trainer. State and metrics are the same on every device and
    are passed and returned without an axis of devices. The state passed to the step is donated: its
    arrays cannot be used afterwards. Arrays that occur twice in it, and NumPy arrays, are copied
    first.

    Args:
        trainer: a trainer with an `axis_name`.
        devices: the devices to use; None means all devices of this process.

    Returns:
        The mapped `step(state, batch, key) -> (state, metrics)`.

    Raises:
        TypeError: `trainer` is not a trainer, or `devices` is not a sequence of devices.
        ValueError: the trainer has no `axis_name`, so each device would train on its own part
            alone; or, when the step is called, the batch cannot be divided among the devices, or a
            number in it does not fit into the dtype to which JAX converts it.

    Example:
        >>> import numpy as np, optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours = training.trainer(loss, optax.sgd(0.25), axis_name="devices")
        >>> step = pmap_step(ours, devices=jax.devices()[:1])
        >>> start = ours.init({"params": np.float32(0)})
        >>> state, _ = step(start, {"x": np.float32([1, 3])}, jax.random.key(0))
        >>> float(state.params)
        1.0
    """
    check_functions("trainer", trainer, Trainer)
    if trainer.axis_name is None:
        raise ValueError(
            'trainer must have an axis_name, such as trainer(..., axis_name="devices"), got None.'
        )
    check_devices(devices)
    devices = jax.local_devices() if devices is None else list(devices)
    mapped = jax.pmap(
        trainer.step,
        axis_name=trainer.axis_name,
        devices=devices,
        in_axes=(None, 0, None),
        out_axes=None,
        donate_argnums=0,
    )

    def divided(x: Any) -> Any:
        if jnp.ndim(x) == 0:  # one value for all examples
            return jnp.broadcast_to(x, (len(devices),))
        return x.reshape(len(devices), -1, *x.shape[1:])

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        check_rows_fit(batch)
        check_divisible(batch, len(devices))
        parts = jax.tree.map(divided, batch)
        return block_on_cpu(mapped(distinct(state, parts, key), parts, key), data_sharding(devices))

    return step
