"""Fully connected networks."""

from collections.abc import Callable, Sequence
from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float, ScalarLike, Shaped

from jaxtricks._checks import (
    check_choice,
    check_flag,
    check_function,
    check_instance,
    check_integer,
    check_range,
)
from jaxtricks.models._flatten import flatten
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout


class MLP(nn.Module):
    """Hidden layers and one of logits.

    Each hidden layer is dense, batch norm (if any), activation, dropout (if its rate is not 0),
    unless told otherwise; the last one is dense alone. Images are flattened first. Biases start at
    0.

    Attributes:
        features: units of each layer, the logits last.
        activation: of the hidden layers.
        rates: probability of dropping after each hidden layer: one for all, or one for each. They
            may be traced: make the network where the rate is known.
        dropout_position: `"after_activation"` or `"before_activation"`. For ReLU both give the
            same numbers.
        batch_norm: whether each hidden layer has one.
        axis_name: of a mapped axis over which the batch norm shares its statistics, or None.
        kernel_init: initialises the weights.
        batch_norm_position: `"before_activation"`, as the notes and the paper have it, or
            `"after_activation"`.
        redundant_bias: whether a dense layer in front of a batch norm has a bias, as the notes
            print it. The norm subtracts it again: its gradient is 0.

    Raises:
        TypeError: a size is no integer, `activation` no function, or, when called, the images
            are not floating.
        ValueError: a size is under 1, a rate out of range, their number wrong, or, when called,
            the rank is not 2 or 4.

    Example:
        >>> import jax
        >>> net = MLP((32, 10), rates=0.5, batch_norm=True)
        >>> images = jax.numpy.ones((4, 8, 8, 1))
        >>> variables = net.init(jax.random.key(0), images, train=False)
        >>> sorted(variables["params"])
        ['BatchNorm_0', 'Dense_0', 'Dense_1']
        >>> net.apply(variables, images, train=False).shape
        (4, 10)

    References:
        S-ARC-01 to S-ARC-06, S-NRM-08, S-REG-15, E-118; notes 000:49-55, 001:79-87, 004:495-506.
    """

    features: Sequence[int]
    activation: Callable[[Array], Array] = nn.relu
    rates: ScalarLike | Sequence[ScalarLike] = 0.0
    dropout_position: Literal["after_activation", "before_activation"] = "after_activation"
    batch_norm: bool = False
    axis_name: str | None = None
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    batch_norm_position: Literal["before_activation", "after_activation"] = "before_activation"
    redundant_bias: bool = True

    def __post_init__(self) -> None:
        check_instance("features", self.features, Sequence)
        if not self.features:
            raise ValueError("features must not be empty.")
        for index, size in enumerate(self.features):
            check_integer(f"features[{index}]", size, low=1)
        rates = self.each_rate()
        if len(rates) != len(self.features) - 1:
            raise ValueError(
                f"rates must be one, or one for each of the {len(self.features) - 1} hidden "
                f"layers, got {len(rates)}."
            )
        for rate in rates or (self.rates,):
            check_range("rates", rate, low=0.0, high=1.0)
        check_flag("batch_norm", self.batch_norm)
        check_function("activation", self.activation)
        check_function("kernel_init", self.kernel_init)
        positions = ("after_activation", "before_activation")
        check_choice("dropout_position", self.dropout_position, positions)
        check_choice("batch_norm_position", self.batch_norm_position, positions)
        check_flag("redundant_bias", self.redundant_bias)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        self.features = tuple(self.features)  # so that the network can be hashed
        if isinstance(self.rates, Sequence):
            self.rates = rates
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "batch *rest"], *, train: bool
    ) -> Float[Array, "batch logits"]:
        """Logits of images `[n, height, width, channels]` or rows `[n, features]`."""
        check_flag("train", train)
        x = flatten(images)
        for size, rate in zip(self.features[:-1], self.each_rate(), strict=True):
            norm_before = self.batch_norm and self.batch_norm_position == "before_activation"
            bias = self.redundant_bias or not norm_before
            x = nn.Dense(size, use_bias=bias, kernel_init=self.kernel_init)(x)
            if norm_before:
                x = BatchNorm(axis_name=self.axis_name)(x, train=train)
            drop = Dropout(rate)
            if self.dropout_position == "before_activation":
                x = drop(x, train=train)
            x = self.activation(x)
            if self.batch_norm and not norm_before:
                x = BatchNorm(axis_name=self.axis_name)(x, train=train)
            if self.dropout_position == "after_activation":
                x = drop(x, train=train)
        return nn.Dense(self.features[-1], kernel_init=self.kernel_init)(x)

    def each_rate(self) -> tuple[ScalarLike, ...]:
        """The rate of each hidden layer."""
        if isinstance(self.rates, Sequence) and not isinstance(self.rates, str):
            return tuple(self.rates)
        return (self.rates,) * (len(self.features) - 1)
