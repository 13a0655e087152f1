"""Convolutions whose gradient is fast inside a loop on a CPU."""

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
    """A convolution over images `[n, height, width, channels]`, padded with zeros ("SAME").

    With a stride of s the output has `ceil(height / s)` rows and `ceil(width / s)` columns. The
    parameters are those of `flax.linen.Conv`: `"kernel"` `[rows, columns, channels, features]` and
    `"bias"` `[features]`, both float32.

    Attributes:
        features: number of channels of the output.
        kernel_size: rows and columns of the kernel.
        strides: steps between neighbouring outputs, down and right: one number for both, or two.
        use_bias: whether there is a bias, initially 0.
        kernel_init: initializer of the kernel, `(key, shape, dtype) -> array`.
        algorithm: how the convolution is computed; the numbers are equal up to rounding.
            `"patches"` writes out the patches and makes one matrix product, `"native"` is XLA's
            convolution. None takes patches on a CPU, where the gradient of a native convolution is
            many times slower under `scan` (19 times was measured) or `vmap`, and native elsewhere.
        dtype: dtype of the computation and of the output. None keeps the input's dtype for the
            output, and computes in float32 where that is narrower.

    Raises:
        TypeError: a size is not an integer, `use_bias` not a bool, `kernel_init` not a function,
            `dtype` not floating, or, when called, the images are not floating.
        ValueError: a size is under 1, `algorithm` is unknown, or, when called, the rank is not 4.

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
        """Convolves floating images `[n, height, width, channels]`."""
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
