"""The train step for several devices and machines, as one program on divided batches."""

import jax
from jax.sharding import NamedSharding
from jaxtyping import Array, Key

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_instance
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._distinct import distinct
from jaxtricks.training.devices._jit_step import check_no_axis
from jaxtricks.training.devices._sharding import (
    batch_shardings,
    block_on_cpu,
    check_divisible,
    place,
    replicated,
)


def shard_step(trainer: Trainer, sharding: NamedSharding) -> TrainStep:
    """Compiles a step for several devices: each holds the whole state and a part of the batch.

    Sums, gradients, batch-norm statistics and random draws are those of the whole batch, as on one
    device: the compiler adds the communication. Use it for several devices of one process or of
    several processes. With several processes, pass batches from `place_batch`, and a state whose
    arrays have the sharding `replicated(sharding)`.

    The state passed to the step is donated: its arrays that already lie on these devices cannot be
    used afterwards. Arrays that occur twice in it, and NumPy arrays, are copied first.

    Args:
        trainer: a trainer with `axis_name=None`.
        sharding: from `data_sharding`.

    Returns:
        The compiled `step(state, batch, key) -> (state, metrics)`.

    Raises:
        TypeError: `trainer` is not a trainer, or `sharding` is not a `NamedSharding`.
        ValueError: the trainer has an `axis_name`, which is for `pmap_step`; or, when the step is
            called, the batch cannot be divided among the devices, or a number in it does not fit
            into the dtype to which JAX converts it.

    Example:
        >>> import numpy as np, optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours, batch = training.trainer(loss, optax.sgd(0.25)), {"x": np.float32([1, 3])}
        >>> step = shard_step(ours, training.data_sharding(jax.devices()[:1]))
        >>> state, _ = step(ours.init({"params": np.float32(0)}), batch, jax.random.key(0))
        >>> float(state.params)
        1.0
    """
    check_no_axis(trainer)
    check_instance("sharding", sharding, NamedSharding)
    everywhere = replicated(sharding)
    compiled = jax.jit(
        trainer.step,
        in_shardings=(everywhere, None, everywhere),  # None: the sharding that the batch has
        out_shardings=(everywhere, everywhere),
        donate_argnums=0,
    )

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        check_rows_fit(batch)
        check_divisible(batch, sharding.num_devices)
        if sharding.is_fully_addressable:  # with several processes both have been placed
            state = place(state, sharding)
            batch = jax.device_put(batch, batch_shardings(batch, sharding))
        return block_on_cpu(compiled(distinct(state, batch, key), batch, key), sharding)

    return step
