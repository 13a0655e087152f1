"""Residual networks for small images."""

from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_choice, check_flag, check_instance, check_integer
from jaxtricks._types import DTypeLike
from jaxtricks.models.layers._conv import Conv
from jaxtricks.models.layers._flatten import check_images
from jaxtricks.normalization import BatchNorm


class ResNet(nn.Module):
    r"""Applies the residual network for CIFAR-10, with depth 6n + 2.

    The layers are a 3x3 convolution, three stages of n blocks with two 3x3 convolutions each, the
    average over all pixels, and a dense layer of logits. From one stage to the next the number of
    channels doubles and the resolution halves, by a stride of 2. A block returns
    $\mathrm{ReLU}(s(x) + f(x))$, where $f$ consists of its two convolutions and the shortcut $s$ is
    the identity. Where the shape changes, $s$ takes every second pixel and adds channels of zeros
    (option A of the paper), so it has no parameters. Batch norm follows each convolution. The
    convolutions have no bias, and their weights start from He's initialization.

    Attributes:
        depth: number of layers with weights, 6n + 2, such as 8, 14, 20, 32, 44, 56 and 110.
        width: number of channels of the first stage, at least 1.
        classes: number of logits, at least 1.
        axis_name: name of a mapped axis (`pmap`, `vmap`, `shard_map`) over which batch norm
            averages its statistics, or None.
        algorithm: how the convolutions are computed; see `Conv`.
        dtype: dtype of the computation and of the logits, such as `jax.numpy.bfloat16`. Parameters
            and running statistics stay float32. None promotes the dtype of the images with that of
            the parameters, as Flax does: float32 for images in float32 or a narrower dtype.

    Raises:
        TypeError: a size is not an integer, `axis_name` is not a string, or `dtype` is not
            floating; when the network is called, the images are not floating.
        ValueError: a size is under 1, `depth` is not 6n + 2, or `algorithm` is unknown; when the
            network is called, the images do not have four axes.

    Example:
        >>> import jax
        >>> net = ResNet(depth=8, width=4)
        >>> images = jnp.ones((2, 32, 32, 3))
        >>> variables = jax.eval_shape(lambda: net.init(jax.random.key(0), images, train=False))
        >>> len([leaf for leaf in jax.tree.leaves(variables["params"]) if leaf.ndim > 1])
        8

    References:
        He et al., [Deep residual learning](https://arxiv.org/abs/1512.03385), 2015, section 4.2.
    """

    depth: int = 20
    width: int = 16
    classes: int = 10
    axis_name: str | None = None
    algorithm: Literal["patches", "native"] | None = None
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        check_integer("depth", self.depth, low=1)
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(f"depth must be 6n + 2 with n of at least 1, got {self.depth}.")
        check_integer("width", self.width, low=1)
        check_integer("classes", self.classes, low=1)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        if self.algorithm is not None:
            check_choice("algorithm", self.algorithm, ("patches", "native"))
        check_dtype("dtype", self.dtype)
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
            train: whether batch norm normalizes by the batch and updates its running statistics,
                for which `apply` needs `mutable=["batch_stats"]`. If False, batch norm normalizes
                by the running statistics.
            example_mask: which examples count in the statistics of batch norm; None means all.
        """
        check_flag("train", train)
        check_images(images, ranks=(4,))
        norm_options = {"train": train, "mask": example_mask}
        x = nn.relu(self.normalised(images, self.width, 1, norm_options))
        for stage in range(3):
            for block in range((self.depth - 2) // 6):
                features = self.width * 2**stage
                stride = 2 if stage > 0 and block == 0 else 1
                y = nn.relu(self.normalised(x, features, stride, norm_options))
                y = self.normalised(y, features, 1, norm_options)
                x = nn.relu(y + shortcut(x, features, stride))
        return nn.Dense(self.classes, dtype=self.dtype)(jnp.mean(x, axis=(1, 2)))

    def normalised(
        self,
        x: Float[Array, "n height width channels"],
        features: int,
        stride: int,
        norm_options: dict[str, Any],
    ) -> Float[Array, "n rows columns features"]:
        """Applies a convolution, and batch norm with the arguments `norm_options`."""
        x = Conv(
            features,
            strides=stride,
            use_bias=False,
            kernel_init=nn.initializers.he_normal(),
            algorithm=self.algorithm,
            dtype=self.dtype,
        )(x)
        return BatchNorm(axis_name=self.axis_name, dtype=self.dtype)(x, **norm_options)


def shortcut(
    x: Float[Array, "n height width channels"], features: int, stride: int
) -> Float[Array, "n rows columns features"]:
    """Returns every `stride`-th pixel, with channels of zeros added up to `features`."""
    added = features - x.shape[-1]
    return jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (added // 2, -(-added // 2))))
