"""Stochastic depth: leaving out whole branches of residual networks, example by example."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.regularizers._dropout import Dropout, dropout
from jaxtricks.regularizers._random_layer import check_stream


def stochastic_depth(
    key: Key[Array, ""], x: Float[Array, "batch *rest"], rate: ScalarLike, *, inverted: bool = True
) -> Float[Array, "batch *rest"]:
    r"""Sets whole examples of a branch to 0 with probability `rate`, and divides the others.

    It is `dropout` with one draw for each example: with $x$ the output of a residual branch and $h$
    what it is added to, the block gives $h + b x / (1 - p)$ with
    $b \sim \mathrm{Bernoulli}(1 - p)$. For the examples that leave it out the network is one block
    less deep. The paper does not divide (`inverted=False`) and multiplies by $1 - p$ in evaluation.

    This is what timm calls `DropPath`, and what EfficientNet's code and older versions of timm call
    `drop_connect`. The DropConnect of Wan et al. (2013) is another thing and drops single weights:
    see `drop_connect`.

    Args:
        key: draws the mask.
        x: the output of a branch, the batch axis first.
        rate: $p$, the probability of leaving the branch out, in `[0, 1]`; it may be traced.
        inverted: whether what stays is divided by `1 - rate`.

    Returns:
        An array with the shape and dtype of `x`.

    Raises:
        ValueError: the rate is out of range, `x` has no axis, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `x` not a floating array, or `inverted` not a bool.

    Example:
        >>> import jax
        >>> stochastic_depth(jax.random.key(1), jnp.ones((3, 2)), 0.5).tolist()
        [[2.0, 2.0], [2.0, 2.0], [0.0, 0.0]]

    References:
        Huang et al., [Deep networks with stochastic depth](https://arxiv.org/abs/1603.09382), 2016.
    """
    check_batch(x)
    return dropout(key, x, rate, mask_axes=(0,), inverted=inverted)


class StochasticDepth(nn.Module):
    """Applies `stochastic_depth` in training; else it returns its input, or that times `1 - rate`.

    Put it behind the last layer of a residual branch: `h + StochasticDepth(0.1)(branch(h),
    train=train)`. Stream, keys and sown masks are those of `Dropout`. EfficientNet's `drop_connect`
    is this layer, and not `DropConnectDense`.

    Attributes:
        rate: probability of leaving the branch out, in `[0, 1]`. At 0 no key is needed.
        inverted: True divides what stays by `1 - rate` in training; False multiplies by it in
            evaluation, as the paper does.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: the rate is out of range, the stream is `"params"`, the input has no axis, or,
            when called in training, `rngs` has no key for the stream.
        TypeError: `rng_collection` is not a string, `inverted` not a bool, or, when called, `train`
            is not a bool or the input not a floating array.

    Example:
        >>> import jax
        >>> layer, rngs = StochasticDepth(0.5), {"dropout": jax.random.key(0)}
        >>> layer.apply({}, jnp.ones((3, 2)), train=True, rngs=rngs).tolist()
        [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0]]

    References:
        Huang et al., [Deep networks with stochastic depth](https://arxiv.org/abs/1603.09382), 2016.
    """

    rate: ScalarLike
    inverted: bool = True
    rng_collection: str = "dropout"

    def __post_init__(self) -> None:
        check_range("rate", self.rate, low=0.0, high=1.0)
        check_flag("inverted", self.inverted)
        check_stream(self.rng_collection)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch *rest"], *, train: bool, rate: ScalarLike | None = None
    ) -> Float[Array, "batch *rest"]:
        """Leaves the branch out for some examples, in training.

        Args:
            x: the output of the branch, the batch axis first.
            train: whether to leave it out at random.
            rate: used for this call instead of the layer's own; it may be traced.
        """
        check_batch(x)
        layer = Dropout(self.rate, (0,), self.inverted, self.rng_collection)
        return layer(x, train=train, rate=rate)


def check_batch(x: object) -> None:
    check_floating("x", x)
    if jnp.ndim(x) == 0:  # pyrefly: ignore[bad-argument-type]
        raise ValueError("x must have a batch axis, got a number.")
