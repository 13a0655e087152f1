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
    """Applies a multilayer perceptron: hidden layers, then a dense layer of logits.

    Images are flattened first. The function `block` makes the layers of each hidden layer and fixes
    their order: dense, activation, dropout by default (`dense_block`), while `batch_norm_block`
    adds batch norm before the activation. For another order write a function as in the second
    example. Biases start at 0.

    Attributes:
        features: number of units of each hidden layer, and last the number of logits; at least 1.
        activation: activation function of the hidden layers.
        dropout_rates: probability of dropping a unit of a hidden layer, in `[0, 1]`: one rate for
            all hidden layers, or one for each. A rate may be traced if the network is made inside
            the traced function. To drop inputs, put `regularizers.Dropout` before the MLP in a
            `Sequential`.
        block: function `HiddenLayer -> [layer, ...]` that makes the layers of one hidden layer: new
            Flax modules or functions of one array. They are applied, and receive `train` and
            `example_mask`, as in `Sequential`. It must be hashable: a function, or a
            `functools.partial` made once, because `jit` compiles again for each new partial.
        kernel_init: initializer of the weights, `(key, shape, dtype) -> array`.
        dtype: dtype of the computation and of the logits, such as `jax.numpy.bfloat16`. Parameters
            and running statistics stay float32. None promotes the dtype of the images with that of
            the parameters, as Flax does: float32 for images in float32 or a narrower dtype.

    Raises:
        TypeError: a size is not an integer, `activation`, `block` or `kernel_init` is not a
            function, `block` is not hashable, or `dtype` is not floating. When the network is
            called: `block` does not return a sequence of layers, or the images are not floating.
        ValueError: a size is under 1, a rate is out of range, or the number of rates is not that of
            the hidden layers. When the network is called: the images do not have 2 or 4 axes, or
            `block` returns no layers.

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

        A block with batch norm after the activation, and without dropout:

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
            raise ValueError(f"features must not be empty, got {self.features!r}.")
        for index, size in enumerate(self.features):
            check_integer(f"features[{index}]", size, low=1)
        rates = self.each_rate()
        if len(rates) != len(self.features) - 1:
            raise ValueError(
                f"dropout_rates must be one rate, or one for each of the {len(self.features) - 1} "
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
        """Returns the logits of images.

        Args:
            images: floating images `[n, height, width, channels]` or rows `[n, features]`.
            train: whether dropout and batch norm work as in training. `apply` then needs
                `rngs={"dropout": key}` if there is dropout, and `mutable=["batch_stats"]` if there
                is batch norm.
            example_mask: which examples count in the statistics of batch norm; None means all.
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
        """Returns the dropout rate of each hidden layer."""
        if isinstance(self.dropout_rates, Sequence) and not isinstance(self.dropout_rates, str):
            return tuple(self.dropout_rates)
        return (self.dropout_rates,) * (len(self.features) - 1)


def check_block(block: object) -> None:
    """Checks a hashable function, so that a network can be a static argument of `jit`.

    Raises:
        TypeError: `block` cannot be called or hashed, or is a class.
    """
    check_function("block", block)
    if isinstance(block, type):
        raise TypeError(
            f"block must be a function from a HiddenLayer to layers, got class {block.__name__}."
        )
    if not isinstance(block, Hashable):
        raise TypeError(
            f"block must be a hashable function or functools.partial, got {shown(block)}."
        )
