"""A small convolutional network."""

from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float, ScalarLike, Shaped

from jaxtricks._checks import check_choice, check_flag, check_instance, check_integer, check_range
from jaxtricks.models._conv import Conv
from jaxtricks.models._flatten import check_images
from jaxtricks.models._pool import max_pool
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout


class SmallCNN(nn.Module):
    """Convolutions 3x3 with ReLU, each followed by max pooling, then a dense layer and logits.

    Two convolutions suit images of 8x8 and more, three of 16x16 and more.

    Attributes:
        features: channels of each convolution; the resolution halves after each.
        hidden: units of the dense layer, ReLU.
        classes: number of logits.
        rate: probability of dropping, after the dense layer.
        batch_norm: whether each convolution has one, before its activation.
        axis_name: of a mapped axis over which the batch norm shares its statistics, or None.
        form: of the convolutions, see `Conv`.

    Raises:
        TypeError: a size is no integer, or, when called, the images are not floating.
        ValueError: a size is under 1, the rate out of range, or, when called, the rank is not 4 or
            the images too small to halve so often.

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
    rate: ScalarLike = 0.0
    batch_norm: bool = False
    axis_name: str | None = None
    form: Literal["patches", "native"] | None = None

    def __post_init__(self) -> None:
        check_instance("features", self.features, Sequence)
        if not self.features:
            raise ValueError("features must not be empty.")
        for index, size in enumerate(self.features):
            check_integer(f"features[{index}]", size, low=1)
        check_integer("hidden", self.hidden, low=1)
        check_integer("classes", self.classes, low=1)
        check_flag("batch_norm", self.batch_norm)
        check_range("rate", self.rate, low=0.0, high=1.0)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        if self.form is not None:
            check_choice("form", self.form, ("patches", "native"))
        self.features = tuple(self.features)  # so that the network can be hashed
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "n *image"], *, train: bool
    ) -> Float[Array, "n classes"]:
        """Logits of images `[n, height, width, channels]`, floating."""
        check_flag("train", train)
        check_images(images, ranks=(4,))
        least = 2 ** len(self.features)
        if min(images.shape[1:3]) < least:
            raise ValueError(f"images must be {least}x{least} or larger, got {images.shape}.")
        x = images
        for size in self.features:
            x = Conv(size, form=self.form)(x)
            if self.batch_norm:
                x = BatchNorm(axis_name=self.axis_name)(x, train=train)
            x = max_pool(nn.relu(x))
        x = nn.relu(nn.Dense(self.hidden)(x.reshape(len(x), -1)))
        return nn.Dense(self.classes)(Dropout(self.rate)(x, train=train))
