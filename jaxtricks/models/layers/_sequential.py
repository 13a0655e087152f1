"""Layers one after another."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Bool

from jaxtricks._checks import check_flag, check_instance, shown
from jaxtricks.normalization import BatchNorm


class Sequential(nn.Module):
    """Applies layers in turn and hands `train` and `example_mask` to those that take them.

    A layer takes `train` if a parameter of its call has that name, and `example_mask`, which says
    what examples count, if another has that one. `normalization.BatchNorm` has its parameter
    `mask` from Flax, and is given the same; what other layers mean by `mask` is their own. Flax
    modules and plain functions can be mixed. Each layer draws its own random numbers. Use
    `regularizers.Dropout` and `normalization.BatchNorm`: those of Flax do not take `train`, but
    `deterministic` and `use_running_average`.

    It has no `dtype`; its layers have their own.

    Attributes:
        layers: Flax modules or functions of one array.

    Raises:
        TypeError: `layers` is not a sequence, one of them cannot be called, or, when called,
            `train` is not a bool.
        ValueError: there are no layers.

    Example:
        >>> import jax
        >>> from jaxtricks.models import flatten
        >>> from jaxtricks.regularizers import Dropout
        >>> net = Sequential([flatten, nn.Dense(200), nn.relu, Dropout(0.5), nn.Dense(10)])
        >>> x = jax.numpy.ones((2, 28, 28, 1))
        >>> variables = net.init(jax.random.key(0), x, train=False)
        >>> net.apply(variables, x, train=True, rngs={"dropout": jax.random.key(1)}).shape
        (2, 10)
    """

    layers: Sequence[Callable[..., Array]]

    def __post_init__(self) -> None:
        check_layers("layers", self.layers)
        self.layers = tuple(self.layers)  # so that the network can be hashed
        super().__post_init__()

    def __call__(
        self, x: Array, *, train: bool, example_mask: Bool[Array, " batch"] | None = None
    ) -> Array:
        """Applies the layers; `example_mask` says which examples count in batch norm, None all."""
        check_flag("train", train)
        return apply_layers(self.layers, x, train=train, example_mask=example_mask)


def check_layers(name: str, layers: Sequence[Callable[..., Array]]) -> None:
    """Checks a sequence of one or more layers.

    Raises:
        TypeError: it is not a sequence, or one of its members cannot be called.
        ValueError: it is empty.
    """
    check_instance(name, layers, Sequence)
    if not layers:
        raise ValueError(f"{name} must not be empty.")
    for index, layer in enumerate(layers):
        if not callable(layer):
            raise TypeError(f"{name}[{index}] must be callable, got {shown(layer)}.")


def apply_layers(
    layers: Sequence[Callable[..., Array]],
    x: Array,
    *,
    train: bool,
    example_mask: Bool[Array, " batch"] | None,
) -> Array:
    """Applies layers in turn and hands `train` and `example_mask` to those that take them."""
    for layer in layers:
        x = layer(x, **accepted_arguments(layer, train, example_mask))
    return x


def accepted_arguments(
    layer: Callable[..., Array], train: bool, example_mask: Bool[Array, " batch"] | None
) -> dict[str, Any]:
    """What of both a layer's call takes; nothing if Python cannot inspect it."""
    if isinstance(layer, BatchNorm):
        return {"train": train, "mask": example_mask}
    try:
        names = inspect.signature(layer).parameters
    except ValueError:
        return {}
    given = {"train": train, "example_mask": example_mask}
    return {name: given[name] for name in given if name in names}
