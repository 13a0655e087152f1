"""Reading and shifting the inputs or outputs of a Flax model's layers."""

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
    """A string with another hash each time; in a collection filter, it disables nn.jit's cache.

    `nn.jit` caches the trace of a call under a hash of the layer and of the collection filters, and
    a cached trace runs without calling the layer, so its values could not be read.
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
    """Applies the model and returns its output and the values of its layers.

    The values are inputs or outputs, as `at` says; `shifts` are added to them, and `of` is applied
    to the result. Collections other than the parameters may change during the call; the changes are
    discarded. Values are named by call, `name#0`, `name#1`. Shifts and values are variables of the
    layer in the collection "probes", so that Flax's lifted transformations carry them.
    """
    check_linen("model", model)
    check_instance("variables", variables, Mapping)
    check_choice("at", at, ("input", "output"))
    check_layers(layers)
    labels: dict[str, None] = {}  # in the order of the calls, some of which are traced twice
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
                'does not carry the collection "probes": give the transformation '
                'variable_axes={"probes": 0, ...}, or leave its class out of layers.'
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
            f"model must have a layer of {shown(layers)} whose {at} is an array, got layers of the "
            f"classes {sorted(kinds)} (the model itself does not count)."
        )
    sown: dict[str, Any] = traverse_util.flatten_dict(state["probes"], sep="/")
    values = OrderedDict()
    for label in labels:
        name, _, call = label.rpartition("#")
        values[label] = sown[f"{name}/value"][int(call)]
    return output, values


def check_linen(name: str, model: object) -> None:
    """Checks that a model is a module of flax.linen, whose method calls can be intercepted.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"{name} must be a flax.linen Module, whose layers can be read, got {shown(model)}."
        )


def first_argument(layer: nn.Module) -> str:
    """Finds the name of the first argument of the layer's call; "" if it has none."""
    return (*inspect.signature(type(layer).__call__).parameters, "", "")[1]


def check_layers(layers: object) -> None:
    """Checks a class of Flax modules, or a tuple of classes.

    Raises:
        TypeError: it is something else, such as a name or an instance.
    """
    for kind in layers if isinstance(layers, tuple) else (layers,):
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise TypeError(
                "layers must be a class of Flax modules or a tuple of classes, got "
                f"{shown(layers)}."
            )


def named(values: Mapping[str, Array]) -> OrderedDict[str, Array]:
    """Removes the number of the call from the names of layers that are called once."""
    labels = [label.rpartition("#")[0] for label in values]
    return OrderedDict(
        (name if labels.count(name) == 1 else label, value)
        for name, (label, value) in zip(labels, values.items(), strict=True)
    )
