"""Everything that training changes, in one tree."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from flax import serialization
from jaxtyping import PyTree


class Averaged(NamedTuple):
    """What an averager has made of the parameters.

    Attributes:
        output: the average, a tree like the parameters, or `averaging.Snapshots`. Before the first
            update it is that of the initial parameters, which do not count later.
        state: the averager's own.
    """

    output: PyTree
    state: PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """What a train step takes and gives back; change it by `dataclasses.replace`.

    The fields' types do not name shapes, because `vmap` adds an axis to all of them. Flax's
    `flax.serialization.to_bytes(state)` and `from_bytes(template, data)` write and read it, where
    no leaf is a typed random key; `from_bytes` does not compare shapes with the template's, and
    `training.restore`, which does, is the better keeper of a run.

    Attributes:
        step: int32, finished updates; the next one uses `schedule(step)`.
        params: what the gradient is taken by.
        model_state: the model's other variables, such as `{"batch_stats": ...}`; `{}` if none.
        opt_state: of the gradient transformation.
        learning_rate_scale: float32, multiplies every update. A control rule sets it between
            epochs, and nothing is traced again.
        average: an `Averaged`, if the trainer has an averager, else None.
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
    """Checks for a `TrainState`, or one of the other kinds allowed.

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
    """What `model.apply` takes: the last parameters and the model's other variables.

    A trainer's `variables(state)` takes the average of the parameters instead, if it has one.

    Example:
        >>> import jax.numpy as jnp
        >>> state = TrainState(0, jnp.ones(2), {"batch_stats": jnp.zeros(1)}, (), 1.0)
        >>> list(variables(state))
        ['params', 'batch_stats']
    """
    check_state("state", state)
    return {"params": state.params, **state.model_state}
