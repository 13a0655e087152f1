"""DropConnect for convolutions: single weights of the kernel are dropped, at all positions."""

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, Key

from jaxtricks._checks import check_flag, check_integer, check_key, check_pair, check_range
from jaxtricks._convolution import Algorithm, Pair, Product, check_convolution, convolution
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._drop_connect_layer import Activation, DropConnectLayer, Inference
from jaxtricks.regularizers._dropped_product import dropped_product
from jaxtricks.regularizers._kernel_shape import check_images, check_kernel


def drop_connect_conv(
    key: Key[Array, ""],
    x: Float[Array, "batch height width channel"],
    kernel: Float[Array, "down right channel features"],
    rate: ScalarLike,
    *,
    per_example: bool = False,
    strides: int | Pair = 1,
    algorithm: Algorithm | None = None,
) -> Float[Array, "batch rows columns features"]:
    r"""Convolves images with a kernel of which each entry is dropped with probability `rate`.

    $y = x * (M \circ W) / (1 - p)$ with one mask $M$ of the kernel's shape, whose expected value is
    $x * W$. All positions of an image share it, as they share the weights. The image is padded with
    zeros ("SAME"). See `drop_connect`, which this is for dense layers.

    Args:
        key: draws the masks; the same key, shapes and rate give the same ones on any devices.
        x: images.
        kernel: the weights.
        rate: $p$, the probability of dropping a weight, in `[0, 1]`; it may be traced. At 1 the
            result is 0.
        per_example: whether each image has a mask of its own; else one mask serves all.
        strides: steps between neighbouring outputs, down and right: one number for both, or two.
        algorithm: how the convolution is computed; the numbers are equal up to rounding.
            `"patches"` writes out the patches and makes matrix products, `"native"` is XLA's
            convolution. None takes patches on a CPU, whose gradient of a native convolution is slow
            inside loops (`models.Conv` does likewise), and with a mask per example, where XLA's
            grouped convolution took over 100 times as long as patches; else native.

    Returns:
        The outputs, of the dtype of `x`.

    Raises:
        ValueError: the rate is out of range, the shapes do not fit, a stride is under 1, the
            algorithm unknown, or `key` an array of keys.
        TypeError: `key` is not a typed key, `x` or `kernel` not a floating array, `per_example` not
            a bool, or a stride not an integer.

    Example:
        >>> import jax
        >>> x, kernel = jnp.ones((2, 1, 4, 1)), jnp.ones((1, 3, 1, 1))
        >>> y = drop_connect_conv(jax.random.key(0), x, kernel, 0.5, per_example=True)
        >>> y[:, 0, :, 0].tolist()  # each would be [2, 3, 3, 2] with all the weights
        [[4.0, 4.0, 4.0, 2.0], [4.0, 6.0, 6.0, 4.0]]

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013, for dense layers.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_key("key", key)
    check_flag("per_example", per_example)
    check_images(x)
    check_kernel(kernel, "down, right, channel, features", x.shape)
    check_convolution(strides, algorithm)
    dtype = wide_dtype(x.dtype)
    given = jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)
    product = convolution(strides, algorithm or ("patches" if per_example else None))
    y, _ = dropped_product(key, *given, rate, product, per_example=per_example)
    return y.astype(x.dtype)


class DropConnectConv(DropConnectLayer):
    """A convolution with `drop_connect_conv` in training, padded with zeros ("SAME").

    It is to `flax.linen.Conv`, whose parameters it has, what `DropConnectDense` is to
    `flax.linen.Dense`: `"kernel"` `[down, right, channel, features]` and `"bias"` `[features]`,
    both float32. Streams, keys, sown masks, and inference are those of `DropConnectDense`.

    Attributes:
        features: number of channels of the output, at least 1.
        kernel_size: rows and columns of the kernel.
        rate: probability of dropping a weight, in `[0, 1]`. At 0 nothing is drawn and no key is
            needed.
        per_example: whether each image has a mask of its own.
        strides: steps between neighbouring outputs, down and right: one number for both, or two.
        activation: a function that keeps the shape, applied to the output; None is none. Gaussian
            inference needs it here and not behind the layer.
        inference: `"mean"` or `"gaussian"`, what evaluation does. The second draws, and needs a key
            in evaluation too.
        samples: number of samples of each unit in Gaussian inference, at least 1.
        use_bias: whether there is a bias, initially 0. It is never dropped.
        kernel_init: initializer of the kernel, `(key, shape, dtype) -> array`.
        algorithm: `"patches"`, `"native"`, or None, see `drop_connect_conv`.
        dtype: dtype of the computation and of the output. None keeps the input's dtype for the
            output, and computes in float32 where that is narrower, as Gaussian inference always
            does.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: a number is out of range, a name unknown, the stream is `"params"`, there is no
            activation for Gaussian inference, or, when called, the input is no batch of images, or
            `rngs` has no key for the stream where the layer draws.
        TypeError: an attribute is of another type, or, when called, `train` is not a bool or the
            input not a floating array.

    Example:
        >>> import jax
        >>> layer = DropConnectConv(1, (1, 3), kernel_init=nn.initializers.ones)
        >>> x, rngs = jnp.ones((1, 1, 4, 1)), {"dropout": jax.random.key(3)}
        >>> variables = layer.init(jax.random.key(0), x, train=False)
        >>> layer.apply(variables, x, train=False)[0, 0, :, 0].tolist()
        [2.0, 3.0, 3.0, 2.0]
        >>> layer.apply(variables, x, train=True, rngs=rngs)[0, 0, :, 0].tolist()
        [2.0, 4.0, 4.0, 4.0]

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013, for dense layers.
    """

    features: int
    kernel_size: Pair = (3, 3)
    rate: ScalarLike = 0.5
    per_example: bool = False
    strides: int | Pair = 1
    activation: Activation | None = None
    inference: Inference = "mean"
    samples: int = 100
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    algorithm: Algorithm | None = None
    dtype: DTypeLike | None = None
    rng_collection: str = "dropout"

    def __post_init__(self) -> None:
        check_pair("kernel_size", self.kernel_size)
        for size in self.kernel_size:
            check_integer("kernel_size", size, low=1)
        check_convolution(self.strides, self.algorithm)
        super().__post_init__()

    def check_input(self, x: object) -> None:
        check_images(x)

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return *self.kernel_size, channels, self.features

    def product(self) -> Product:
        algorithm = self.algorithm or ("patches" if self.per_example else None)
        return convolution(self.strides, algorithm)
