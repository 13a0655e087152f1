"""Fully connected networks."""

from collections.abc import Callable, Hashable, Sequence

import flax.linen as nn
from jaxtyping import Array, Bool, Float, Shaped
from typing_extensions import TypeAliasType

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import (
    check_flag,
    check_function,
    check_instance,
    check_integer,
    check_range,
    shown,
)
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks.models.layers._flatten import flatten
from jaxtricks.models.layers._sequential import apply_layers, check_layers
from jaxtricks.models.mlp._dense_block import dense_block
from jaxtricks.models.mlp._hidden_layer import HiddenLayer

Block = TypeAliasType("Block", Callable[[HiddenLayer], Sequence[Callable[..., Array]]])


class MLP(nn.Module):
    """A multilayer perceptron: hidden layers, and a dense layer of logits.

    Images are flattened first. What a hidden layer consists of, and in which order, is decided by
    the `block`: a function that is told the hidden layer's sizes and returns its layers. By default
    they are dense, activation, dropout (`dense_block`); `batch_norm_block` adds batch norm in front
    of the activation. Another order is a block of the caller's own, see the second example. Biases
    start at 0.

    Attributes:
        features: units of each layer, the number of logits last.
        activation: activation function of the hidden layers.
        dropout_rates: probability of dropping a unit of each hidden layer, in `[0, 1]`: one rate
            for all hidden layers, or one for each. Rates may be traced; make the network inside the
            traced function then. Inputs are not dropped: for that, put `regularizers.Dropout` in
            front of the layers of a `Sequential`.
        block: makes the layers of one hidden layer: `HiddenLayer -> [layer, ...]`, Flax modules
            made in the call or functions of one array. They are applied in turn, and `train` and
            `example_mask` are handed to those that take them, as in `Sequential`. A function or
            `functools.partial`; make a partial once, because under `jit` two of the same arguments
            are different.
        kernel_init: initializer of the weights, `(key, shape, dtype) -> array`.
        dtype: dtype of the computation and of the logits, such as `jax.numpy.bfloat16`; parameters
            and running statistics are float32 all the same. None follows Flax's promotion of the
            input with the parameters: float32 for images of float32 and narrower.

    Raises:
        TypeError: a size is not an integer, `activation`, `block` or `kernel_init` not a function,
            `block` not hashable, `dtype` not floating, or, when called, `block` returns something
            other than a sequence of layers, or the images are not floating.
        ValueError: a size is under 1, a rate is out of range, there are more or fewer rates than
            hidden layers, or, when called, the rank is not 2 or 4 or `block` returns no layers.

    Example:
        >>> import jax
        >>> from jaxtricks.models import HiddenLayer, batch_norm_block
        >>> from jaxtricks.normalization import BatchNorm
        >>> net = MLP((32, 10), dropout_rates=0.5, block=batch_norm_block)
        >>> images = jax.numpy.ones((4, 8, 8, 1))
        >>> variables = net.init(jax.random.key(0), images, train=False)
        >>> sorted(variables["params"])
        ['BatchNorm_0', 'Dense_0', 'Dense_1']
        >>> net.apply(variables, images, train=False).shape
        (4, 10)

        Batch norm behind the activation, and no dropout:

        >>> def norm_last(hidden: HiddenLayer):
        ...     dense = nn.Dense(hidden.features, kernel_init=hidden.kernel_init)
        ...     return dense, hidden.activation, BatchNorm()
        >>> MLP((32, 10), block=norm_last).apply(variables, images, train=False).shape
        (4, 10)
    """

    features: Sequence[int]
    activation: Callable[[Array], Array] = nn.relu
    dropout_rates: ScalarLike | Sequence[ScalarLike] = 0.0
    block: Block = dense_block
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        check_instance("features", self.features, Sequence)
        if not self.features:
            raise ValueError("features must not be empty.")
        for index, size in enumerate(self.features):
            check_integer(f"features[{index}]", size, low=1)
        rates = self.each_rate()
        if len(rates) != len(self.features) - 1:
            raise ValueError(
                f"dropout_rates must be one, or one for each of the {len(self.features) - 1} "
                f"hidden layers, got {len(rates)}."
            )
        for rate in rates or (self.dropout_rates,):
            check_range("dropout_rates", rate, low=0.0, high=1.0)
        check_function("activation", self.activation)
        check_function("kernel_init", self.kernel_init)
        check_block(self.block)
        check_dtype("dtype", self.dtype)
        self.features = tuple(self.features)  # so that the network can be hashed
        if isinstance(self.dropout_rates, Sequence):
            self.dropout_rates = rates
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        images: Shaped[Array, "batch *rest"],
        *,
        train: bool,
        example_mask: Bool[Array, " batch"] | None = None,
    ) -> Float[Array, "batch logits"]:
        """Logits of images `[n, height, width, channels]` or rows `[n, features]`.

        `example_mask` says which examples count in `BatchNorm`, None all; see `Sequential`.
        """
        check_flag("train", train)
        x = flatten(images)
        *sizes, logits = self.features
        for size, rate in zip(sizes, self.each_rate(), strict=True):
            hidden = HiddenLayer(size, self.activation, rate, self.kernel_init, self.dtype)
            layers = self.block(hidden)
            check_layers("block(hidden)", layers)
            x = apply_layers(layers, x, train=train, example_mask=example_mask)
        return nn.Dense(logits, kernel_init=self.kernel_init, dtype=self.dtype)(x)

    def each_rate(self) -> tuple[ScalarLike, ...]:
        """The dropout rate of each hidden layer."""
        if isinstance(self.dropout_rates, Sequence) and not isinstance(self.dropout_rates, str):
            return tuple(self.dropout_rates)
        return (self.dropout_rates,) * (len(self.features) - 1)


def check_block(block: object) -> None:
    """Checks a function that can be hashed, so that networks can be static arguments of `jit`.

    Raises:
        TypeError: it cannot be called, or not be hashed.
    """
    check_function("block", block)
    if isinstance(block, type):
        raise TypeError(
            f"block must be a function from a HiddenLayer to layers, got {block.__name__}, a class."
        )
    if not isinstance(block, Hashable):
        raise TypeError(
            f"block must be hashable, a function or functools.partial, got {shown(block)}."
        )
