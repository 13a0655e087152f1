"""The state of training: everything that training changes, in one pytree."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from flax import serialization
from jaxtyping import PyTree


class Averaged(NamedTuple):
    """The average of the parameters and the state of the averager.

    Attributes:
        output: the average, a tree like the parameters, or `averaging.Snapshots`. Before the first
            update it is the average of the initial parameters alone, which later averages do not
            include.
        state: the state of the averager.
    """

    output: PyTree
    state: PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """The state that a train step takes and returns; change a field by `dataclasses.replace`.

    The types of the fields do not name shapes, because `vmap` adds an axis to all of them.
    `flax.serialization.to_bytes(state)` and `from_bytes(template, data)` write and read a state,
    unless it holds typed random keys. `from_bytes` does not compare shapes with the template;
    `training.save` and `training.restore` do, and they keep typed random keys.

    Attributes:
        step: the number of finished updates, int32; the next update uses `schedule(step)`.
        params: the parameters of the model.
        model_state: the model's other variables, such as `{"batch_stats": ...}`; `{}` if it has
            none.
        opt_state: the state of the gradient transformation.
        learning_rate_scale: the factor by which every update is multiplied, float32. A control rule
            sets it between epochs, without a new compilation.
        average: an `Averaged` if the trainer has an averager, else None.
    """

    step: PyTree
    params: PyTree
    model_state: PyTree
    opt_state: PyTree
    learning_rate_scale: PyTree
    average: PyTree = None


def _to_state_dict(state: TrainState) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(state)]
    return {name: serialization.to_state_dict(getattr(state, name)) for name in names}


def _from_state_dict(template: TrainState, stored: Mapping[str, Any]) -> TrainState:
    names = [field.name for field in dataclasses.fields(template)]
    if set(stored) != set(names):
        raise ValueError(f"state must have the fields {names}, got {sorted(map(str, stored))}.")
    fields = {
        name: serialization.from_state_dict(getattr(template, name), stored[name], name=name)
        for name in names
    }
    return dataclasses.replace(template, **fields)


serialization.register_serialization_state(TrainState, _to_state_dict, _from_state_dict)


def check_state(name: str, state: object, *kinds: type) -> None:
    """Checks that `state` is a `TrainState`, or of one of the other `kinds`.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(state, (TrainState, *kinds)):
        kind = type(state)
        raise TypeError(
            f"{name} must come from trainer.init(variables), or be the state or position of a Fit "
            f"or Run, got a {kind.__module__.split('.')[0]} {kind.__name__}."
        )


def variables(state: TrainState) -> dict[str, PyTree]:
    """Returns the variables for `model.apply`: the last parameters and the other variables.

    `trainer.variables(state)` of a `Trainer` with an averager returns the average of the parameters
    instead, unless its `evaluate_average` is False.

    Args:
        state: a `TrainState`.

    Returns:
        A dict of `"params"` and the collections in `state.model_state`.

    Raises:
        TypeError: `state` is not a `TrainState`.

    Example:
        >>> import jax.numpy as jnp
        >>> state = TrainState(0, jnp.ones(2), {"batch_stats": jnp.zeros(1)}, (), 1.0)
        >>> list(variables(state))
        ['params', 'batch_stats']
    """
    check_state("state", state)
    return {"params": state.params, **state.model_state}
