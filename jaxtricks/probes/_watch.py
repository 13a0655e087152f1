"""Looking at a Flax model's layers from outside."""

import inspect
import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array, PyTree
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_choice, check_instance, shown

Place = Literal["input", "output"]
Layers = TypeAliasType("Layers", type[nn.Module] | tuple[type[nn.Module], ...])
ARRAYS = (jax.Array, np.ndarray)


class Unshared(str):
    """A name whose hash is never the same twice.

    `nn.jit` keeps the trace of a call by a hash of its layer and of the filters of its collections,
    and runs a kept trace without calling the layer. With this name in a filter it never does.
    """

    __slots__ = ()
    hashes = itertools.count()

    def __hash__(self) -> int:
        return next(self.hashes)


def watch(
    model: nn.Module,
    variables: Mapping[str, PyTree],
    args: tuple,
    kwargs: Mapping[str, Any],
    *,
    at: Place,
    layers: Layers,
    of: Callable[[Array], Array] = lambda value: value,
    shifts: Mapping[str, Array] | None = None,
) -> tuple[Any, OrderedDict[str, Array]]:
    """Applies the model; gives its output and `of` its layers' values, `shifts` added to those.

    Collections other than the parameters may change, and the changes are dropped. A layer that is
    called more than once has one value a call, `name#0`, `name#1`. Shifts and values are variables
    of the layer in the collection "probes", so that Flax's lifted transformations hand them on.
    """
    check_linen("model", model)
    check_instance("variables", variables, Mapping)
    check_choice("at", at, ("input", "output"))
    check_layers(layers)
    labels: dict[str, None] = {}  # in the order of the calls; some transformations trace twice
    kinds: set[str] = set()

    def shifted(layer: nn.Module, value: Array | np.ndarray) -> Array:
        value = jnp.asarray(value)
        name = "/".join(layer.path)
        call = len(layer.get_variable("probes", "value", ()))
        if layer.has_variable("probes", f"shift{call}"):
            value = value + layer.get_variable("probes", f"shift{call}")
        if not layer.sow("probes", "value", of(value)):
            raise ValueError(
                f"{name} is a layer inside nn.scan, nn.vmap or another transformation of Flax that "
                'does not carry the collection "probes": give it variable_axes={"probes": 0, ...}, '
                "or choose other layers."
            )
        labels[f"{name}#{call}"] = None
        return value

    def look(run: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        layer = context.module
        inside = context.method_name == "__call__" and layer.path
        if inside:
            kinds.add(type(layer).__name__)
        seen = inside and isinstance(layer, layers)
        if seen and at == "input":
            name = first_argument(layer)
            if args and isinstance(args[0], ARRAYS):
                args = (shifted(layer, args[0]), *args[1:])
            elif isinstance(kwargs.get(name), ARRAYS):
                kwargs = {**kwargs, name: shifted(layer, kwargs[name])}
        result = run(*args, **kwargs)
        if seen and at == "output" and isinstance(result, ARRAYS):
            result = shifted(layer, result)
        return result

    places = {}
    for label, shift in (shifts or {}).items():
        name, _, call = label.rpartition("#")
        places[f"{name}/shift{call}"] = shift
    variables = {**variables, "probes": traverse_util.unflatten_dict(places, sep="/")}
    mutable = nn.DenyList(("params", Unshared("no collection")))
    with nn.intercept_methods(look):
        output, state = model.apply(variables, *args, mutable=mutable, **kwargs)
    if not labels:
        raise ValueError(
            f"model has no layer of {shown(layers)} that is given or gives an array; its layers "
            f"(it is none of them) are of the kinds {sorted(kinds)}."
        )
    sown: dict[str, Any] = traverse_util.flatten_dict(state["probes"], sep="/")
    values = OrderedDict()
    for label in labels:
        name, _, call = label.rpartition("#")
        values[label] = sown[f"{name}/value"][int(call)]
    return output, values


def check_linen(name: str, model: object) -> None:
    """Checks for a model whose layers can be looked at from outside.

    Raises:
        TypeError: it is not a module of flax.linen.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"{name} must be a flax.linen Module, whose layers can be watched, got {shown(model)}."
        )


def first_argument(layer: nn.Module) -> str:
    """Name of what the layer is called with, after itself."""
    return (*inspect.signature(type(layer).__call__).parameters, "", "")[1]


def check_layers(layers: object) -> None:
    """Checks one kind of module, or a tuple of kinds.

    Raises:
        TypeError: it is something else, such as a name or an instance.
    """
    for kind in layers if isinstance(layers, tuple) else (layers,):
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise TypeError(
                f"layers must be a kind of Flax module or a tuple of kinds, got {shown(layers)}."
            )


def named(values: Mapping[str, Array]) -> OrderedDict[str, Array]:
    """Without the number of the call where there is one call."""
    labels = [label.rpartition("#")[0] for label in values]
    return OrderedDict(
        (name if labels.count(name) == 1 else label, value)
        for name, (label, value) in zip(labels, values.items(), strict=True)
    )
