"""DropConnect: setting single weights to zero at random."""

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, Key

from jaxtricks._checks import check_flag, check_key, check_range
from jaxtricks._convolution import Product
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._drop_connect_layer import Activation, DropConnectLayer, Inference
from jaxtricks.regularizers._dropped_product import dropped_product
from jaxtricks.regularizers._kernel_shape import check_kernel, check_rows


def drop_connect(
    key: Key[Array, ""],
    x: Float[Array, "*batch inputs"],
    kernel: Float[Array, "inputs features"],
    rate: ScalarLike,
    *,
    per_example: bool = False,
) -> Float[Array, "*batch features"]:
    r"""Multiplies inputs by weights of which each is dropped with probability `rate`.

    $y = x\,(M \circ W) / (1 - p)$, where each $M_{ij} \sim \mathrm{Bernoulli}(1 - p)$ decides
    about one connection. The expected value is $x W$, so that evaluation uses the weights as they
    are, the mean of those of all masks. Dropout drops a unit with all its connections; here a unit
    keeps some of them. The gradient of a dropped weight is 0. The paper does not divide, and
    multiplies the weights by $1 - p$ in evaluation. The probability is rounded as in `dropout`.

    What EfficientNet's code and older versions of timm call `drop_connect` is another thing, which
    leaves out whole branches of a residual network: see `stochastic_depth`.

    With a mask per example, as in the paper, each example needs `inputs * features` random draws
    and a product with weights of its own. On a CPU the examples are taken one after the other and
    the gradient draws their masks again, so that memory holds one mask at a time: at batch 128 with
    800 × 800 weights, forward and backward took 25 times the CPU time of a dense layer at a rate of
    0.5, and 130 times at 0.1, a probability of more binary digits. Elsewhere they are taken side by
    side, which needs memory for `batch * inputs * features` weights, 330 MB here. One mask for the
    batch took 1.2 times the time of a dense layer.

    Args:
        key: draws the masks; the same key, shapes and rate give the same ones on any devices.
        x: inputs. With a mask per example its first axis is the batch; axes between that and the
            last, such as positions, share their example's mask.
        kernel: the weights.
        rate: $p$, the probability of dropping a weight, in `[0, 1]`; it may be traced. At 1 the
            result is 0.
        per_example: whether each example has a mask of its own; else one mask serves all.

    Returns:
        The products, of the dtype of `x`.

    Raises:
        ValueError: the rate is out of range, the shapes do not fit, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `x` or `kernel` not a floating array, or `per_example`
            not a bool.

    Example:
        >>> import jax
        >>> key, x, kernel = jax.random.key(7), jnp.ones((2, 4)), jnp.ones((4, 3))
        >>> drop_connect(key, x, kernel, 0.5).tolist()  # each would be 4 with all the weights
        [[6.0, 4.0, 6.0], [6.0, 4.0, 6.0]]
        >>> drop_connect(key, x, kernel, 0.5, per_example=True).tolist()
        [[4.0, 0.0, 6.0], [6.0, 6.0, 4.0]]

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_key("key", key)
    check_flag("per_example", per_example)
    check_rows(x)
    check_batch_axis(x.shape, per_example)
    check_kernel(kernel, "inputs, features", x.shape)
    dtype = wide_dtype(x.dtype)
    given = jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)
    y, _ = dropped_product(key, *given, rate, jnp.matmul, per_example=per_example)
    return y.astype(x.dtype)


class DropConnectDense(DropConnectLayer):
    r"""A dense layer with `drop_connect` in training.

    In evaluation it uses the weights as they are, or, with `inference="gaussian"`, takes every unit
    for a normal variable with the moments of `drop_connect_moments` and returns the mean activation
    of samples of it, as the paper does. The parameters are those of `flax.linen.Dense`: `"kernel"`
    `[inputs, features]` and `"bias"` `[features]`, both float32. Biases are never dropped; the
    paper drops them too.

    Streams, keys and sown masks are those of `Dropout`: the mask in `"masks"` has the shape of the
    kernel behind a batch axis, of size 1 if one mask serves all.

    Attributes:
        features: number of units, at least 1.
        rate: probability of dropping a weight, in `[0, 1]`. At 0 nothing is drawn and no key is
            needed. At 1 training and Gaussian inference leave the biases only, while mean
            inference, as `Dropout`, knows no rate.
        per_example: whether each example of the first axis has a mask of its own, as in the paper.
            For its cost see `drop_connect`.
        activation: a function that keeps the shape, applied to the output; None is none. Gaussian
            inference needs it here and not behind the layer.
        inference: `"mean"` or `"gaussian"`, what evaluation does. The second draws, and needs a key
            in evaluation too.
        samples: number of samples of each unit in Gaussian inference, at least 1; the time grows
            with them.
        use_bias: whether there is a bias, initially 0.
        kernel_init: initializer of the kernel, `(key, shape, dtype) -> array`.
        dtype: dtype of the computation and of the output. None keeps the input's dtype for the
            output, and computes in float32 where that is narrower, as Gaussian inference always
            does.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: a number is out of range, a name unknown, the stream is `"params"`, there is no
            activation for Gaussian inference, or, when called, the input has no last axis or no
            entries along it, or `rngs` has no key for the stream where the layer draws.
        TypeError: an attribute is of another type, or, when called, `train` is not a bool or the
            input not a floating array.

    Example:
        >>> import jax
        >>> x, kernel = jnp.ones((1, 4)), jnp.array([[1.0], [1.0], [-1.0], [-1.0]])
        >>> variables = {"params": {"kernel": kernel, "bias": jnp.zeros(1)}}
        >>> layer = DropConnectDense(1, activation=nn.relu)
        >>> rngs = [{"dropout": jax.random.key(seed)} for seed in (2, 3, 4)]
        >>> [layer.apply(variables, x, train=True, rngs=r).item() for r in rngs]
        [0.0, 4.0, 0.0]
        >>> layer.apply(variables, x, train=False).item()  # the mean over all masks is 0.75
        0.0
        >>> gaussian = DropConnectDense(1, activation=nn.relu, inference="gaussian", samples=1000)
        >>> round(gaussian.apply(variables, x, train=False, rngs=rngs[0]).item(), 1)
        0.8

    References:
        Wan et al., [Regularization of neural networks using DropConnect](
        https://proceedings.mlr.press/v28/wan13.html), 2013.
    """

    features: int
    rate: ScalarLike = 0.5
    per_example: bool = False
    activation: Activation | None = None
    inference: Inference = "mean"
    samples: int = 100
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: DTypeLike | None = None
    rng_collection: str = "dropout"

    def check_input(self, x: object) -> None:
        check_rows(x)
        check_batch_axis(jnp.shape(x), self.per_example)

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return channels, self.features

    def product(self) -> Product:
        return jnp.matmul


def check_batch_axis(shape: tuple[int, ...], per_example: bool) -> None:
    """Raises `ValueError` if masks per example are asked for where there are no examples."""
    if per_example and len(shape) < 2:
        raise ValueError(
            f"x must be [batch, ..., inputs] for a mask per example, got the shape {shape}."
        )
