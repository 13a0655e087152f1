"""A small convolutional network."""

from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Bool, Float, Shaped

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_choice, check_flag, check_instance, check_integer, check_range
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks.models.layers._conv import Conv
from jaxtricks.models.layers._flatten import check_images
from jaxtricks.models.layers._pool import max_pool
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout


class SmallCNN(nn.Module):
    """Convolutions 3x3 with ReLU, each followed by max pooling, then a dense layer and logits.

    The resolution halves after each convolution: k of them need images of $2^k$ rows and columns or
    more.

    Attributes:
        features: number of channels of each convolution.
        hidden: units of the dense layer, with ReLU.
        classes: number of logits.
        dropout_rate: probability of dropping a unit of the dense layer, in `[0, 1]`.
        batch_norm: whether batch norm follows each convolution, in front of the activation.
        axis_name: name of a mapped axis over which the batch norm averages its statistics, or None.
        algorithm: of the convolutions, see `Conv`.
        dtype: dtype of the computation and of the logits, such as `jax.numpy.bfloat16`; parameters
            and running statistics are float32 all the same. None follows Flax's promotion of the
            input with the parameters: float32 for images of float32 and narrower.

    Raises:
        TypeError: a size is not an integer, `batch_norm` not a bool, `dtype` not floating, or, when
            called, the images are not floating.
        ValueError: a size is under 1, the rate out of range, `algorithm` unknown, or, when called,
            the rank is not 4 or the images are too small.

    Example:
        >>> import jax
        >>> net = SmallCNN((8, 16))
        >>> images = jax.numpy.ones((4, 8, 8, 1))
        >>> variables = jax.eval_shape(lambda: net.init(jax.random.key(0), images, train=False))
        >>> variables["params"]["Dense_0"]["kernel"].shape
        (64, 128)
    """

    features: Sequence[int] = (32, 64)
    hidden: int = 128
    classes: int = 10
    dropout_rate: ScalarLike = 0.0
    batch_norm: bool = False
    axis_name: str | None = None
    algorithm: Literal["patches", "native"] | None = None
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        check_instance("features", self.features, Sequence)
        if not self.features:
            raise ValueError("features must not be empty.")
        for index, size in enumerate(self.features):
            check_integer(f"features[{index}]", size, low=1)
        check_integer("hidden", self.hidden, low=1)
        check_integer("classes", self.classes, low=1)
        check_flag("batch_norm", self.batch_norm)
        check_range("dropout_rate", self.dropout_rate, low=0.0, high=1.0)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        if self.algorithm is not None:
            check_choice("algorithm", self.algorithm, ("patches", "native"))
        check_dtype("dtype", self.dtype)
        self.features = tuple(self.features)  # so that the network can be hashed
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        images: Shaped[Array, "n *image"],
        *,
        train: bool,
        example_mask: Bool[Array, " n"] | None = None,
    ) -> Float[Array, "n classes"]:
        """Logits of images `[n, height, width, channels]`, floating.

        `example_mask` says which examples count in the batch norm; None is all.
        """
        check_flag("train", train)
        check_images(images, ranks=(4,))
        least = 2 ** len(self.features)
        if min(images.shape[1:3]) < least:
            raise ValueError(f"images must be {least}x{least} or larger, got {images.shape}.")
        x = images
        for size in self.features:
            x = Conv(size, algorithm=self.algorithm, dtype=self.dtype)(x)
            if self.batch_norm:
                norm = BatchNorm(axis_name=self.axis_name, dtype=self.dtype)
                x = norm(x, train=train, mask=example_mask)
            x = max_pool(nn.relu(x))
        x = nn.relu(nn.Dense(self.hidden, dtype=self.dtype)(x.reshape(len(x), -1)))
        x = Dropout(self.dropout_rate)(x, train=train)
        return nn.Dense(self.classes, dtype=self.dtype)(x)
