"""DropConnect: single weights are set to 0 at random."""

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
    r"""Multiplies inputs by a matrix of weights, each dropped (set to 0) with probability `rate`.

    $y = x\,(M \circ W) / (1 - p)$, where $M_{ij} \sim \mathrm{Bernoulli}(1 - p)$ is drawn for each
    weight and $\circ$ multiplies entry by entry. The expected value is $x W$, so evaluation uses
    the weights as they are. Dropout drops a unit with all its connections; DropConnect drops single
    connections of a unit. The gradient of a dropped weight is 0. The paper does not divide by
    $1 - p$ in training; its evaluation therefore uses $1 - p$ times the weights. $1 - p$ is rounded
    to a multiple of $2^{-16}$, as in `dropout`.

    The function `drop_connect` of EfficientNet's code and of older versions of timm does something
    else: it leaves out whole branches of a residual network, as `stochastic_depth` does.

    With a mask for each example, as in the paper, each example needs `inputs * features` random
    draws and a product with its own weights. On a CPU the examples are computed one after the other
    and the gradient draws their masks again, so memory holds one mask at a time. For a batch of 128
    and 800 × 800 weights, forward and backward took 25 times the CPU time of a dense layer at a
    rate of 0.5. At 0.1 they took 130 times, because more random bits are drawn for a probability
    with more binary digits. On other devices the examples are computed together, which needs memory
    for `batch * inputs * features` weights, 330 MB in this case. One mask for the whole batch took
    1.2 times the time of a dense layer.

    Args:
        key: random key of the masks; the same key, shapes and rate give the same masks on all
            devices.
        x: the inputs. With a mask for each example, the first axis is the batch. All positions
            along the axes between the first and the last share the mask of their example.
        kernel: the weights.
        rate: $p$, the probability of dropping a weight, in `[0, 1]`; it may be traced. At 1 the
            result is 0.
        per_example: whether each example has its own mask; otherwise one mask serves all.

    Returns:
        The products, in the dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, the shapes of `x` and `kernel` do not fit, `x` has no
            batch axis although `per_example` is True, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `x` or `kernel` is not a floating array, or
            `per_example` is not a bool.

    Example:
        >>> import jax
        >>> key, x, kernel = jax.random.key(7), jnp.ones((2, 4)), jnp.ones((4, 3))
        >>> drop_connect(key, x, kernel, 0.5).tolist()  # with all the weights each is 4
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
    r"""Applies a dense layer, whose weights `drop_connect` drops in training.

    Evaluation uses the weights as they are. With `inference="gaussian"` evaluation instead draws
    samples of each unit from a normal distribution with the moments of `drop_connect_moments`, and
    returns the mean of their activations, as in the paper. The parameters are those of
    `flax.linen.Dense`: `"kernel"` `[inputs, features]` and `"bias"` `[features]`, both float32.
    Biases are never dropped; the paper drops them too.

    Training needs a random key, which `apply` takes as `rngs={"dropout": key}`, and sows the mask
    in the collection `"masks"` if that is mutable; see `Dropout`. A sown mask has a batch axis, of
    size 1 if one mask serves all examples, followed by the axes of the kernel.

    Attributes:
        features: number of units, at least 1.
        rate: probability of dropping a weight, in `[0, 1]`. At 0 the layer needs no key. At 1
            training and Gaussian inference return the activation of the biases. Evaluation with
            `inference="mean"` ignores the rate.
        per_example: whether each example of the first axis has its own mask, as in the paper. See
            `drop_connect` for the cost.
        activation: a function that keeps the shape, applied to the output, or None for no
            activation. Gaussian inference needs the activation here, not after the layer, because
            it averages activations.
        inference: what evaluation does: `"mean"` uses the weights as they are; `"gaussian"` draws
            samples, so it needs a key in evaluation too.
        samples: number of samples of each unit in Gaussian inference, at least 1. The time of
            evaluation grows in proportion to it.
        use_bias: whether to add a bias, which starts at 0.
        kernel_init: initializer of the kernel, `(key, shape, dtype) -> array`.
        dtype: dtype of the computation and of the output. None returns the input's dtype, and
            computes in float32 if that dtype is narrower. Gaussian inference always computes in
            float32 or wider.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: a number is out of range, `inference` is unknown, `rng_collection` is
            `"params"`, or Gaussian inference has no activation. When the layer is called: the input
            has no last axis or no entries along it, the input has no batch axis although
            `per_example` is True, or `rngs` lacks a key that the layer needs.
        TypeError: an attribute has the wrong type; when the layer is called, `train` is not a bool
            or the input is not a floating array.

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
    """Raises `ValueError` if each example needs its own mask and `x` has no batch axis."""
    if per_example and len(shape) < 2:
        raise ValueError(
            f"x must be [batch, ..., inputs] if per_example is True, got the shape {shape}."
        )
