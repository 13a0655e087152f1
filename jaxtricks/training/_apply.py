"""How a model is called: one signature for Flax linen, Flax nnx, Equinox and plain functions."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
from jaxtyping import Array, Bool, Key, PyTree

from jaxtricks._checks import shown
from jaxtricks._types import RandomKey


@runtime_checkable
class Apply(Protocol):
    """`(variables, inputs, *, train, rngs) -> (outputs, model_state)`.

    `variables` holds `"params"` and the model's other collections, `rngs` a key for each random
    stream in training and nothing in evaluation. `model_state` is the other collections as they are
    after the call, `{}` if there are none.

    A function with a parameter `example_mask` is also told, by that name, which examples are
    present: a bool for each, or None for all.
    """

    def __call__(
        self,
        variables: Mapping[str, PyTree],
        inputs: Any,
        *,
        train: bool,
        rngs: Mapping[str, Key[Array, ""]],
    ) -> tuple[Any, PyTree]: ...


def apply_of(model: nn.Module | Apply) -> Callable[..., tuple[Any, PyTree]]:
    """The function that calls a Flax linen module, or the function given.

    It takes `example_mask`, and hands it on if the model's call has a parameter of that name, and
    `sown`, the names of collections that a module may sow in training beside those that it has.

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
    takes_mask = takes_example_mask(model)

    def apply(
        variables: Mapping[str, PyTree],
        inputs: Any,
        *,
        train: bool,
        rngs: Mapping[str, RandomKey],
        example_mask: Bool[Array, " batch"] | None = None,
        sown: Sequence[str] = (),
    ) -> tuple[Any, PyTree]:
        extra = {"example_mask": example_mask} if takes_mask else {}
        if not isinstance(model, nn.Module):
            return model(variables, inputs, train=train, rngs=rngs, **extra)
        state = {name: tree for name, tree in variables.items() if name != "params"}
        if not train:
            return model.apply(variables, inputs, train=False, **extra), state
        options = {"rngs": dict(rngs), "mutable": [*state, *sown], **extra}
        return model.apply(variables, inputs, train=True, **options)

    return apply


def takes_example_mask(model: nn.Module | Apply) -> bool:
    """Whether the call has a parameter of that name; no if Python cannot inspect the call."""
    try:
        return "example_mask" in inspect.signature(model).parameters
    except (TypeError, ValueError):
        return False
