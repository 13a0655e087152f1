"""The step compiled for one device."""

import jax

from jaxtricks._checks import check_functions
from jaxtricks.training._step import TrainStep
from jaxtricks.training._trainer import Trainer


def jit_step(trainer: Trainer) -> TrainStep:
    """Compiles a trainer's step for one device.

    The state given to it is donated: its arrays are used up, and the state returned takes their
    place.

    Args:
        trainer: with `axis_name=None`.

    Raises:
        ValueError: the step sums over a mapped axis.

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
    return jax.jit(trainer.step, donate_argnums=0)


def check_no_axis(trainer: Trainer) -> None:
    """Checks for a trainer whose step sums over no mapped axis.

    Raises:
        TypeError: this is not a trainer.
        ValueError: its step sums over one.
    """
    check_functions("trainer", trainer, Trainer)
    if trainer.axis_name is not None:
        raise ValueError(
            f"trainer must have axis_name=None, got {trainer.axis_name!r}: use pmap_step."
        )
