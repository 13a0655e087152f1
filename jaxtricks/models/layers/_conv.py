"""A convolution whose gradient is fast inside a loop on a CPU."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array, Float, Shaped

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_flag, check_function, check_integer, check_pair
from jaxtricks._convolution import Algorithm, Pair, check_convolution, convolution
from jaxtricks._types import DTypeLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.models.layers._flatten import check_images


class Conv(nn.Module):
    """Convolves images `[n, height, width, channels]`, padded with zeros ("SAME").

    With a stride of `s` the output has `ceil(height / s)` rows and `ceil(width / s)` columns. The
    parameters are those of `flax.linen.Conv`: `"kernel"` `[rows, columns, channels, features]` and
    `"bias"` `[features]`, both float32.

    Attributes:
        features: number of channels of the output, at least 1.
        kernel_size: rows and columns of the kernel, each at least 1.
        strides: pixels between neighbouring outputs, at least 1: one number, or `(down, right)`.
        use_bias: whether to add a bias, which starts at 0.
        kernel_init: initializer of the kernel, `(key, shape, dtype) -> array`.
        algorithm: how the convolution is computed; the results are equal up to rounding.
            `"patches"` copies the patches and computes one matrix product, `"native"` is XLA's
            convolution. None chooses patches on a CPU, where the gradient of XLA's convolution is
            many times slower under `scan` (19 times as measured) or `vmap`, and native elsewhere.
        dtype: dtype of the computation and of the output. None returns the input's dtype, and
            computes in float32 if that dtype is narrower.

    Raises:
        TypeError: a size is not an integer, `use_bias` is not a bool, `kernel_init` is not a
            function, or `dtype` is not floating; when the layer is called, the images are not
            floating.
        ValueError: a size is under 1, or `algorithm` is unknown; when the layer is called, the
            images do not have four axes.

    Example:
        >>> import jax
        >>> conv = Conv(1, kernel_init=nn.initializers.ones)
        >>> x = jax.numpy.ones((1, 3, 3, 1))
        >>> conv.apply(conv.init(jax.random.key(0), x), x)[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """

    features: int
    kernel_size: Pair = (3, 3)
    strides: int | Pair = 1
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    algorithm: Algorithm | None = None
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        check_integer("features", self.features, low=1)
        check_flag("use_bias", self.use_bias)
        check_function("kernel_init", self.kernel_init)
        check_pair("kernel_size", self.kernel_size)
        for size in self.kernel_size:
            check_integer("kernel_size", size, low=1)
        check_convolution(self.strides, self.algorithm)
        check_dtype("dtype", self.dtype)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "n *image"]
    ) -> Float[Array, "n rows columns features"]:
        """Returns the convolution of floating images `[n, height, width, channels]`."""
        check_images(images, ranks=(4,))
        shape = (*self.kernel_size, images.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        convolve = convolution(self.strides, self.algorithm)
        dtype = wide_dtype(images.dtype) if self.dtype is None else self.dtype
        y = convolve(images.astype(dtype), kernel.astype(dtype))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            y += bias[None, None, None].astype(dtype)
        return y.astype(images.dtype if self.dtype is None else self.dtype)
