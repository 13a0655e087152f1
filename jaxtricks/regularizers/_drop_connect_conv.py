"""DropConnect for convolutions: single weights of the kernel are set to 0 at random."""

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
    r"""Convolves images with a kernel whose weights are each dropped with probability `rate`.

    $y = x * (M \circ W) / (1 - p)$ with a mask $M$ of the kernel's shape, where $*$ is the
    convolution and $\circ$ multiplies entry by entry. The expected value is $x * W$. All positions
    of an image share the mask, as they share the weights. The images are padded with zeros
    ("SAME"). `drop_connect` is the same for dense layers.

    Args:
        key: random key of the masks; the same key, shapes and rate give the same masks on all
            devices.
        x: the images.
        kernel: the weights; the axes `down` and `right` are the rows and columns of the window.
        rate: $p$, the probability of dropping a weight, in `[0, 1]`; it may be traced. At 1 the
            result is 0.
        per_example: whether each image has its own mask; otherwise one mask serves all.
        strides: pixels between neighbouring outputs, at least 1: one number, or `(down, right)`.
        algorithm: how the convolution is computed; the results are equal up to rounding.
            `"patches"` copies the patches and computes matrix products, `"native"` is XLA's
            convolution. None chooses `"native"`, with two exceptions. It chooses `"patches"` on a
            CPU, where the gradient of XLA's convolution is slow inside loops (see `models.Conv`),
            and if each image has its own mask, because XLA's grouped convolution then took over 100
            times as long.

    Returns:
        The outputs, in the dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, the shapes of `x` and `kernel` do not fit, a stride is
            under 1, `algorithm` is unknown, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `x` or `kernel` is not a floating array, `per_example`
            is not a bool, or a stride is not an integer.

    Example:
        >>> import jax
        >>> x, kernel = jnp.ones((2, 1, 4, 1)), jnp.ones((1, 3, 1, 1))
        >>> y = drop_connect_conv(jax.random.key(0), x, kernel, 0.5, per_example=True)
        >>> y[:, 0, :, 0].tolist()  # with all the weights each is [2, 3, 3, 2]
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
    """Applies a convolution, whose weights `drop_connect_conv` drops in training.

    The images are padded with zeros ("SAME"). The parameters are those of `flax.linen.Conv`:
    `"kernel"` `[rows, columns, channel, features]` and `"bias"` `[features]`, both float32. Random
    keys, sown masks and both kinds of inference work as in `DropConnectDense`.

    Attributes:
        features: number of channels of the output, at least 1.
        kernel_size: rows and columns of the kernel, each at least 1.
        rate: probability of dropping a weight, in `[0, 1]`. At 0 the layer needs no key.
        per_example: whether each image has its own mask.
        strides: pixels between neighbouring outputs, at least 1: one number, or `(down, right)`.
        activation: a function that keeps the shape, applied to the output, or None for no
            activation. Gaussian inference needs the activation here, not after the layer, because
            it averages activations.
        inference: what evaluation does: `"mean"` uses the weights as they are; `"gaussian"` draws
            samples, so it needs a key in evaluation too.
        samples: number of samples of each unit in Gaussian inference, at least 1.
        use_bias: whether to add a bias, which starts at 0. It is never dropped.
        kernel_init: initializer of the kernel, `(key, shape, dtype) -> array`.
        algorithm: `"patches"`, `"native"` or None; see `drop_connect_conv`.
        dtype: dtype of the computation and of the output. None returns the input's dtype, and
            computes in float32 if that dtype is narrower. Gaussian inference always computes in
            float32 or wider.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: a number is out of range, `inference` or `algorithm` is unknown,
            `rng_collection` is `"params"`, or Gaussian inference has no activation. When the layer
            is called: the input is not a batch of images, or `rngs` lacks a key that the layer
            needs.
        TypeError: an attribute has the wrong type; when the layer is called, `train` is not a bool
            or the input is not a floating array.

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
