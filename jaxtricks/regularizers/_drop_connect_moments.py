"""Inference for DropConnect: moments of the outputs over all masks, and mean activations."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_function, check_integer, check_key, check_range
from jaxtricks._convolution import Algorithm, Pair, Product, check_convolution, convolution
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._bernoulli_mask import keep_probability
from jaxtricks.regularizers._kernel_shape import check_images, check_kernel, check_rows

Outputs = Float[Array, "batch rows columns features"]


def drop_connect_moments(
    x: Float[Array, "*batch inputs"], kernel: Float[Array, "inputs features"], rate: ScalarLike
) -> tuple[Float[Array, "*batch features"], Float[Array, "*batch features"]]:
    r"""Returns the mean and the variance of the output of `drop_connect` over all masks.

    The mean is $x W$ and the variance $\frac{p}{1-p} (x \circ x)(W \circ W)$, where $\circ$
    multiplies entry by entry. The paper does not divide the kept weights by $1 - p$, and its $p$ is
    the probability of keeping a weight, here $q = 1 - p$. Its mean $q\,x W$ and its variance
    $q (1 - q) (x \circ x)(W \circ W)$ are what this function returns for the weights $q W$. $1 - p$
    is rounded to a multiple of $2^{-16}$, as in `dropout`. At rate 1 the output is always 0, so
    both moments are 0.

    Args:
        x: the inputs, with any number of axes.
        kernel: the weights.
        rate: $p$, the probability of dropping a weight, in `[0, 1]`; it may be traced.

    Returns:
        Mean and variance, in the dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, or the shapes of `x` and `kernel` do not fit.
        TypeError: `x` or `kernel` is not a floating array.

    Example:
        >>> mean, variance = drop_connect_moments(jnp.array([1.0, 2.0]), jnp.ones((2, 1)), 0.5)
        >>> mean.tolist(), variance.tolist()  # the outputs are 0, 2, 4 and 6
        ([3.0], [5.0])

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013, section on inference.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_rows(x)
    check_kernel(kernel, "inputs, features", x.shape)
    return _narrow_moments(jnp.asarray(x), jnp.asarray(kernel), rate, jnp.matmul)


def drop_connect_conv_moments(
    x: Float[Array, "batch height width channel"],
    kernel: Float[Array, "down right channel features"],
    rate: ScalarLike,
    *,
    strides: int | Pair = 1,
    algorithm: Algorithm | None = None,
) -> tuple[
    Float[Array, "batch rows columns features"], Float[Array, "batch rows columns features"]
]:
    r"""Returns the mean and the variance of the output of `drop_connect_conv` over all masks.

    The mean is the convolution of $x$ with $W$, and the variance is the convolution of $x \circ x$
    with $\frac{p}{1-p} W \circ W$, where $\circ$ multiplies entry by entry.

    Args:
        x: the images.
        kernel: the weights; the axes `down` and `right` are the rows and columns of the window.
        rate: $p$, the probability of dropping a weight, in `[0, 1]`; it may be traced. At 1 both
            moments are 0.
        strides: pixels between neighbouring outputs, at least 1: one number, or `(down, right)`.
        algorithm: how the convolution is computed; see `drop_connect_conv`.

    Returns:
        Mean and variance, in the dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, the shapes of `x` and `kernel` do not fit, a stride is
            under 1, or `algorithm` is unknown.
        TypeError: `x` or `kernel` is not a floating array, or a stride is not an integer.

    Example:
        >>> x, kernel = jnp.ones((1, 1, 3, 1)), jnp.ones((1, 3, 1, 1))
        >>> mean, variance = drop_connect_conv_moments(x, kernel, 0.2)
        >>> mean.ravel().tolist(), [round(v, 3) for v in variance.ravel().tolist()]
        ([2.0, 3.0, 2.0], [0.5, 0.75, 0.5])

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013, for dense layers.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_images(x)
    check_kernel(kernel, "down, right, channel, features", x.shape)
    check_convolution(strides, algorithm)
    product = convolution(strides, algorithm)
    return _narrow_moments(jnp.asarray(x), jnp.asarray(kernel), rate, product)


def mean_activation(
    key: Key[Array, ""],
    mean: Float[Array, "*shape"],
    variance: Float[Array, "*shape"],
    activation: Callable[[Array], Array],
    *,
    samples: int = 100,
) -> Float[Array, "*shape"]:
    r"""Estimates by sampling the mean activation of units that are normally distributed.

    The estimate is $\frac{1}{S} \sum_{s \le S} a(u_s)$ with $u_s \sim N(\mu, \sigma^2)$, drawn
    independently for each unit. With the moments of `drop_connect_moments` this is the inference of
    the DropConnect paper, which estimates the mean of $a$ over all masks. Evaluation with the mean
    weights instead gives $a$ of the mean output, which is at most the mean of $a$ if $a$ is convex,
    as ReLU is. Two errors remain. One is the standard error of the estimate, which is the standard
    deviation of $a(u)$ divided by $\sqrt{S}$. The other is that the units are not exactly normally
    distributed; it falls with the number of inputs.

    Args:
        key: random key of the samples.
        mean: $\mu$, including the biases.
        variance: $\sigma^2$, at least 0; a negative variance gives NaN.
        activation: $a$, a function that keeps the shape.
        samples: $S$, the number of samples, at least 1. The samples are drawn one after the other,
            so their number does not change the memory used, unless a gradient is taken.

    Returns:
        An array of the shape and dtype of `mean`.

    Raises:
        ValueError: `samples` is under 1, the shapes of `mean` and `variance` differ, `activation`
            changes the shape, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `mean` or `variance` is not a floating array,
            `activation` is not a function, or `samples` is not an integer.

    Example:
        >>> mean, variance = jnp.zeros(1), jnp.ones(1)
        >>> y = mean_activation(jax.random.key(0), mean, variance, jax.nn.relu, samples=10_000)
        >>> round(float(y[0]), 2)  # 1 / sqrt(2 pi)
        0.4

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013, section on inference.
    """
    check_key("key", key)
    check_floating("mean", mean)
    check_floating("variance", variance)
    check_function("activation", activation)
    check_integer("samples", samples, low=1)
    if mean.shape != variance.shape:
        raise ValueError(
            f"variance must have the shape of mean, {mean.shape}, got {variance.shape}."
        )
    dtype = wide_dtype(mean.dtype)
    center, variance = jnp.asarray(mean, dtype), jnp.asarray(variance, dtype)
    shape = jax.eval_shape(activation, center).shape
    if shape != center.shape:
        raise ValueError(f"activation must keep the shape {center.shape}, got {shape}.")
    some = variance != 0  # the slope of the square root at 0 is infinite
    deviation = jnp.where(some, jnp.sqrt(jnp.where(some, variance, 1)), 0)

    def add(total: Array, key: Array) -> tuple[Array, None]:
        noise = jax.random.normal(key, center.shape, dtype)
        return total + activation(center + deviation * noise), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(center), jax.random.split(key, samples))
    return (total / samples).astype(mean.dtype)


def moments(x: Array, kernel: Array, rate: ScalarLike, product: Product) -> tuple[Array, Array]:
    """Returns the mean and variance of `product(x, kernel)` over all masks of the kernel."""
    probability = keep_probability(rate).astype(x.dtype)
    some = probability != 0
    ratio = jnp.where(some, (1 - probability) / jnp.where(some, probability, 1), 0)
    mean = jnp.where(some, product(x, kernel), 0)
    return mean, jnp.where(ratio == 0, 0, ratio * product(x * x, kernel * kernel))


def _narrow_moments(
    x: Array, kernel: Array, rate: ScalarLike, product: Product
) -> tuple[Array, Array]:
    """Returns the moments in the dtype of `x`, computed in float32 or wider."""
    dtype = wide_dtype(x.dtype)
    mean, variance = moments(x.astype(dtype), kernel.astype(dtype), rate, product)
    return mean.astype(x.dtype), variance.astype(x.dtype)
