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
    """Applies 3x3 convolutions with ReLU and max pooling, then a dense layer and logits.

    The resolution halves after each convolution, so $k$ convolutions need images with at least
    $2^k$ rows and columns.

    Attributes:
        features: number of channels of each convolution, at least 1.
        hidden: number of units of the dense layer, which has a ReLU; at least 1.
        classes: number of logits, at least 1.
        dropout_rate: probability of dropping a unit of the dense layer, in `[0, 1]`.
        batch_norm: whether batch norm follows each convolution, before the activation.
        axis_name: name of a mapped axis (`pmap`, `vmap`, `shard_map`) over which batch norm
            averages its statistics, or None.
        algorithm: how the convolutions are computed; see `Conv`.
        dtype: dtype of the computation and of the logits, such as `jax.numpy.bfloat16`. Parameters
            and running statistics stay float32. None promotes the dtype of the images with that of
            the parameters, as Flax does: float32 for images in float32 or a narrower dtype.

    Raises:
        TypeError: a size is not an integer, `batch_norm` is not a bool, `axis_name` is not a
            string, or `dtype` is not floating; when the network is called, the images are not
            floating.
        ValueError: a size is under 1, `dropout_rate` is out of range, or `algorithm` is unknown;
            when the network is called, the images do not have four axes or are too small.

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
            raise ValueError(f"features must not be empty, got {self.features!r}.")
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
        """Returns the logits of images.

        Args:
            images: floating images `[n, height, width, channels]`.
            train: whether dropout and batch norm work as in training. `apply` then needs
                `rngs={"dropout": key}` if there is dropout, and `mutable=["batch_stats"]` if there
                is batch norm.
            example_mask: which examples count in the statistics of batch norm; None means all.
        """
        check_flag("train", train)
        check_images(images, ranks=(4,))
        least = 2 ** len(self.features)
        if min(images.shape[1:3]) < least:
            raise ValueError(
                f"images must be {least}x{least} or larger, got the shape {images.shape}."
            )
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
