"""Layers one after another."""

import inspect
from collections.abc import Callable, Sequence

import flax.linen as nn
from jaxtyping import Array

from jaxtricks._checks import check_flag, check_instance


class Sequential(nn.Module):
    """Applies layers in turn and hands `train` to those that take it.

    A layer takes it if a parameter of its call is named `train`; Flax modules and plain functions
    mix. Each layer draws from the rng streams on its own. Where Flax's `Dropout` and `BatchNorm`
    have `deterministic` and `use_running_average`, use ours.

    Attributes:
        layers: Flax modules or functions of one array.

    Raises:
        TypeError: there is a layer that cannot be called.
        ValueError: there is no layer.

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
        check_instance("layers", self.layers, Sequence)
        if not self.layers:
            raise ValueError("layers must not be empty.")
        for index, layer in enumerate(self.layers):
            if not callable(layer):
                raise TypeError(f"layers[{index}] must be callable, got {layer!r}.")
        self.layers = tuple(self.layers)  # so that the network can be hashed
        super().__post_init__()

    def __call__(self, x: Array, *, train: bool) -> Array:
        """Applies the layers."""
        check_flag("train", train)
        for layer in self.layers:
            x = layer(x, train=train) if takes_train(layer) else layer(x)
        return x


def takes_train(layer: Callable[..., Array]) -> bool:
    """Whether a parameter of the call is named `train`; what Python cannot inspect has none."""
    try:
        return "train" in inspect.signature(layer).parameters
    except ValueError:
        return False
