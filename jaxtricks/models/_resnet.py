"""Residual networks for small images."""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from jaxtricks._checks import check_choice, check_flag, check_instance, check_integer
from jaxtricks.models._conv import Conv
from jaxtricks.models._flatten import check_images
from jaxtricks.normalization import BatchNorm


class ResNet(nn.Module):
    r"""The residual network for CIFAR-10, of depth 6n + 2.

    A 3x3 convolution, three stages of n blocks of two 3x3 convolutions each, the average over all
    places, and logits. The channels double and the resolution halves from stage to stage, by a
    stride of 2. A block gives $\mathrm{ReLU}(s(x) + f(x))$; the shortcut s is the identity, which
    takes every second place and adds channels of zeros where the shape changes (option A), so it
    has no parameters. Batch norm follows each convolution, which has no bias; He's initialisation.

    Attributes:
        depth: number of layers with weights, 6n + 2: 8, 14, 20, 32, 44, 56, 110.
        width: channels of the first stage.
        classes: number of logits.
        axis_name: of a mapped axis over which the batch norm shares its statistics, or None.
        form: of the convolutions, see `Conv`.

    Raises:
        TypeError: a size is no integer, or, when called, the images are not floating.
        ValueError: a size is under 1, the depth is not 6n + 2, or, when called, the rank is not 4.

    Example:
        >>> import jax
        >>> net = ResNet(depth=8, width=4)
        >>> images = jnp.ones((2, 32, 32, 3))
        >>> variables = jax.eval_shape(lambda: net.init(jax.random.key(0), images, train=False))
        >>> len([leaf for leaf in jax.tree.leaves(variables["params"]) if leaf.ndim > 1])
        8

    References:
        S-ARC-12; notes 004:587-607.
        He et al., [Deep residual learning](https://arxiv.org/abs/1512.03385), 2015, section 4.2.
    """

    depth: int = 20
    width: int = 16
    classes: int = 10
    axis_name: str | None = None
    form: Literal["patches", "native"] | None = None

    def __post_init__(self) -> None:
        check_integer("depth", self.depth, low=1)
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(f"depth must be 6n + 2 with n of at least 1, got {self.depth}.")
        check_integer("width", self.width, low=1)
        check_integer("classes", self.classes, low=1)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        if self.form is not None:
            check_choice("form", self.form, ("patches", "native"))
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "n *image"], *, train: bool
    ) -> Float[Array, "n classes"]:
        """Logits of images `[n, height, width, channels]`, floating."""
        check_flag("train", train)
        check_images(images, ranks=(4,))
        x = nn.relu(self.normalised(images, self.width, 1, train))
        for stage in range(3):
            for block in range((self.depth - 2) // 6):
                features = self.width * 2**stage
                stride = 2 if stage > 0 and block == 0 else 1
                y = nn.relu(self.normalised(x, features, stride, train))
                y = self.normalised(y, features, 1, train)
                x = nn.relu(y + shortcut(x, features, stride))
        return nn.Dense(self.classes)(jnp.mean(x, axis=(1, 2)))

    def normalised(
        self, x: Float[Array, "n height width channels"], features: int, stride: int, train: bool
    ) -> Float[Array, "n rows columns features"]:
        """A convolution and its batch norm."""
        x = Conv(
            features,
            strides=stride,
            use_bias=False,
            kernel_init=nn.initializers.he_normal(),
            form=self.form,
        )(x)
        return BatchNorm(axis_name=self.axis_name)(x, train=train)


def shortcut(
    x: Float[Array, "n height width channels"], features: int, stride: int
) -> Float[Array, "n rows columns features"]:
    """The identity, at every `stride`-th place and with channels of zeros added."""
    added = features - x.shape[-1]
    return jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (added // 2, -(-added // 2))))
