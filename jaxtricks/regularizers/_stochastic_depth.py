"""Stochastic depth: whole residual branches are left out at random for each example."""

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
    r"""Sets each example of a residual branch to 0 with probability `rate`, and scales the others.

    It is `dropout` with one draw for each example. A residual block adds the output $x$ of a branch
    to its input $h$; with stochastic depth it returns $h + b x / (1 - p)$ with
    $b \sim \mathrm{Bernoulli}(1 - p)$. An example with $b = 0$ passes through a network that is one
    block less deep. The paper does not divide in training (`inverted=False`); it multiplies by
    $1 - p$ in evaluation.

    timm calls this `DropPath`; EfficientNet's code and older versions of timm call it
    `drop_connect`. The DropConnect of Wan et al. (2013) drops single weights: see `drop_connect`.

    Args:
        key: random key of the mask.
        x: the output of a branch, with the batch axis first.
        rate: $p$, the probability of leaving the branch out, in `[0, 1]`; it may be traced.
        inverted: whether to divide the kept examples by `1 - rate`.

    Returns:
        An array of the shape and dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, `x` has no axis, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `x` is not a floating array, or `inverted` is not a
            bool.

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
    """Applies `stochastic_depth` in training; evaluation leaves no branch out.

    Evaluation returns the input, or `1 - rate` times the input if `inverted` is False. Put the
    layer after the last layer of a residual branch, as in
    `h + StochasticDepth(0.1)(branch(h), train=train)`. Training needs a random key, which `apply`
    takes as `rngs={"dropout": key}`, and sows the mask in the collection `"masks"` if that is
    mutable; see `Dropout`. EfficientNet's `drop_connect` is this layer, not `DropConnectDense`.

    Attributes:
        rate: probability of leaving the branch out, in `[0, 1]`. At 0 the layer needs no key.
        inverted: whether training divides the kept examples by `1 - rate`. If False, evaluation
            multiplies by `1 - rate`, as in the paper.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: `rate` is out of range, `rng_collection` is `"params"`, the input has no axis,
            or `rngs` has no key for the stream when the layer is called in training.
        TypeError: `rng_collection` is not a string or `inverted` is not a bool; when the layer is
            called, `train` is not a bool or the input is not a floating array.

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
        """Leaves the branch out for random examples in training.

        Args:
            x: the output of the branch, with the batch axis first.
            train: whether to leave the branch out at random.
            rate: replaces the layer's own `rate` in this call; it may be traced.
        """
        check_batch(x)
        layer = Dropout(self.rate, (0,), self.inverted, self.rng_collection)
        return layer(x, train=train, rate=rate)


def check_batch(x: object) -> None:
    check_floating("x", x)
    if jnp.ndim(x) == 0:  # pyrefly: ignore[bad-argument-type]
        raise ValueError("x must have a batch axis, got an array without axes.")
