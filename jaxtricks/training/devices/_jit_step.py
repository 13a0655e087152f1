"""The train step, compiled for one device."""

import jax
from jaxtyping import Array, Key

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_functions
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._distinct import distinct


def jit_step(trainer: Trainer) -> TrainStep:
    """Compiles a trainer's step for one device.

    The state passed to the compiled step is donated: its arrays cannot be used afterwards, so use
    the returned state instead. Arrays that occur twice in the state, and NumPy arrays, are copied
    first.

    Args:
        trainer: a trainer with `axis_name=None`.

    Returns:
        The compiled `step(state, batch, key) -> (state, metrics)`.

    Raises:
        TypeError: `trainer` is not a trainer.
        ValueError: the trainer has an `axis_name`, which is for `pmap_step`; or, when the step is
            called, a number of the batch does not fit into the dtype to which JAX converts it.

    Example:
        >>> import jax.numpy as jnp, numpy as np, optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours = training.trainer(loss, optax.sgd(0.25))
        >>> state = ours.init({"params": jnp.zeros(())})
        >>> state, _ = jit_step(ours)(state, {"x": np.float32([1, 3])}, jax.random.key(0))
        >>> float(state.params)
        1.0
    """
    check_no_axis(trainer)
    compiled = jax.jit(trainer.step, donate_argnums=0)

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        check_rows_fit(batch)
        return compiled(distinct(state, batch, key), batch, key)

    return step


def check_no_axis(trainer: Trainer) -> None:
    """Checks that `trainer` is a trainer whose step sums over no mapped axis.

    Raises:
        TypeError: it is not a trainer.
        ValueError: it has an `axis_name`.
    """
    check_functions("trainer", trainer, Trainer)
    if trainer.axis_name is not None:
        raise ValueError(
            f"trainer must have axis_name=None, got {trainer.axis_name!r}: use pmap_step."
        )
