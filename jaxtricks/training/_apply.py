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
    """A function that calls a model which is not a Flax linen module.

    The signature is `(variables, inputs, *, train, rngs) -> (outputs, model_state)`. `variables` is
    a dict of `"params"` and the model's other collections. In training, `rngs` maps the name of
    each random stream to a random key; in evaluation, it is empty. `model_state` is a dict of the
    collections except `"params"`, as they are after the call; `{}` if there are none.

    If the function has a parameter named `example_mask`, it also receives a boolean array
    `[batch]`, True for each example whose `"weight"` in the batch is not 0. It receives None if the
    batch has no weights, as in `predict`.
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
    """Returns the function that calls `model`, whether a Flax linen module or an `Apply` function.

    The returned function also takes `example_mask`, which it passes on if the model's call has a
    parameter of that name, and `sown`: the names of collections that a module may sow in training
    in addition to the collections in `variables`.

    Raises:
        TypeError: `model` is neither a Flax linen module nor a function.
    """
    if not isinstance(model, nn.Module):
        hint = ""
        if any(kind.__module__.startswith("flax.nnx") for kind in type(model).__mro__):
            hint = ": pass the function that training.split_nnx returns"
        elif isinstance(getattr(model, "__self__", None), nn.Module):
            hint = ": pass the module itself"
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
    """Says whether the model's call has a parameter `example_mask`.

    False if Python cannot inspect the call.
    """
    try:
        return "example_mask" in inspect.signature(model).parameters
    except (TypeError, ValueError):
        return False
