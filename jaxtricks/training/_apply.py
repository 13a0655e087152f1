"""How a model is called: one signature for Flax linen, Flax nnx, Equinox and plain functions."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import shown
from jaxtricks._types import RandomKey


@runtime_checkable
class Apply(Protocol):
    """`(variables, inputs, *, train, rngs) -> (outputs, model_state)`.

    `variables` holds `"params"` and the model's other collections, `rngs` a key for each random
    stream in training and nothing in evaluation. `model_state` is the other collections as they are
    after the call, `{}` if there are none.
    """

    def __call__(
        self,
        variables: Mapping[str, PyTree],
        inputs: Any,
        *,
        train: bool,
        rngs: Mapping[str, Key[Array, ""]],
    ) -> tuple[Any, PyTree]: ...


def apply_of(model: nn.Module | Apply) -> Apply:
    """The function that calls a Flax linen module, or the function given.

    Raises:
        TypeError: `model` is neither.
    """
    if not isinstance(model, nn.Module):
        hint = ""
        if any(kind.__module__.startswith("flax.nnx") for kind in type(model).__mro__):
            hint = ": give the function that training.split_nnx makes of it"
        elif isinstance(getattr(model, "__self__", None), nn.Module):
            hint = ": give the module itself"
        if hint or not callable(model) or isinstance(model, type):
            raise TypeError(
                f"model must be a flax.linen Module or a function, got {shown(model)}{hint}."
            )
        return model

    def apply(
        variables: Mapping[str, PyTree],
        inputs: Any,
        *,
        train: bool,
        rngs: Mapping[str, RandomKey],
    ) -> tuple[Any, PyTree]:
        state = {name: tree for name, tree in variables.items() if name != "params"}
        if not train:
            return model.apply(variables, inputs, train=False), state
        return model.apply(variables, inputs, train=True, rngs=dict(rngs), mutable=list(state))

    return apply
