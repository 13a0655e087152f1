"""A network of layers that are applied one after another."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Bool

from jaxtricks._checks import check_flag, check_instance, shown
from jaxtricks.normalization import BatchNorm


class Sequential(nn.Module):
    """Applies layers one after another, and passes `train` and `example_mask` to them.

    A layer receives `train` or `example_mask` if its call has a parameter of that name.
    `example_mask` says which examples count in the statistics of batch norm.
    `normalization.BatchNorm` receives it as its parameter `mask`; the parameter `mask` of other
    layers is not set. Flax modules and plain functions can be mixed. Each layer draws its own
    random numbers. Use `regularizers.Dropout` and `normalization.BatchNorm` instead of Flax's
    layers, which take `deterministic` and `use_running_average` in place of `train`.

    `Sequential` has no attribute `dtype`, because each layer has its own.

    Attributes:
        layers: Flax modules or functions of one array, at least one.

    Raises:
        TypeError: `layers` is not a sequence, or a layer cannot be called; when the network is
            called, `train` is not a bool.
        ValueError: `layers` is empty.

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
        """Applies the layers.

        Args:
            x: the input of the first layer.
            train: whether the layers work as in training. `apply` then needs the random keys that
                the layers draw from, such as `rngs={"dropout": key}`, and
                `mutable=["batch_stats"]` if there is batch norm.
            example_mask: which examples count in the statistics of batch norm; None means all.
        """
        check_flag("train", train)
        return apply_layers(self.layers, x, train=train, example_mask=example_mask)


def check_layers(name: str, layers: Sequence[Callable[..., Array]]) -> None:
    """Checks a sequence of one or more layers.

    Raises:
        TypeError: `layers` is not a sequence, or a layer cannot be called.
        ValueError: `layers` is empty.
    """
    check_instance(name, layers, Sequence)
    if not layers:
        raise ValueError(f"{name} must not be empty, got {layers!r}.")
    for index, layer in enumerate(layers):
        if not callable(layer):
            raise TypeError(f"{name}[{index}] must be a function, got {shown(layer)}.")


def apply_layers(
    layers: Sequence[Callable[..., Array]],
    x: Array,
    *,
    train: bool,
    example_mask: Bool[Array, " batch"] | None,
) -> Array:
    """Applies layers one after another; see `Sequential`."""
    for layer in layers:
        x = layer(x, **accepted_arguments(layer, train, example_mask))
    return x


def accepted_arguments(
    layer: Callable[..., Array], train: bool, example_mask: Bool[Array, " batch"] | None
) -> dict[str, Any]:
    """Returns the arguments that a layer's call takes; none if Python cannot inspect the call."""
    if isinstance(layer, BatchNorm):
        return {"train": train, "mask": example_mask}
    try:
        names = inspect.signature(layer).parameters
    except ValueError:
        return {}
    given = {"train": train, "example_mask": example_mask}
    return {name: given[name] for name in given if name in names}
