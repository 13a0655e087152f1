"""Dropout: units are set to 0 at random."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_flag, check_key, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._bernoulli_mask import bernoulli_mask, keep_probability
from jaxtricks.regularizers._mask_shape import check_mask_axes, mask_shape
from jaxtricks.regularizers._random_layer import RandomLayer


def dropout(
    key: Key[Array, ""],
    x: Float[Array, "*shape"],
    rate: ScalarLike,
    *,
    mask_axes: Sequence[int] | None = None,
    inverted: bool = True,
) -> Float[Array, "*shape"]:
    r"""Sets each entry to 0 with probability `rate` and divides the others by `1 - rate`.

    $y_i = r_i x_i / (1 - p)$ with $r_i \sim \mathrm{Bernoulli}(1 - p)$. The expected value of $y_i$
    is $x_i$, so evaluation needs no rescaling (inverted dropout). Standard dropout, with
    `inverted=False`, is $y_i = r_i x_i$; evaluation must then multiply by $1 - p$, as the layer
    `Dropout` does. The gradient of a dropped entry is 0.

    The probability $1 - p$ is rounded to a multiple of $2^{-16}$, and the entries are divided by
    the rounded value. A rate within $2^{-17}$ of 1 drops every entry.

    `rate` is the probability of dropping, as is `p` in PyTorch and `rate` in Keras, Flax and
    TensorFlow 2. The `keep_prob` of TensorFlow 1's `tf.nn.dropout` is `1 - rate`.

    Args:
        key: random key of the mask; the same key, shape and rate give the same mask on all devices.
        x: activations of any shape.
        rate: $p$, the probability of dropping an entry, in `[0, 1]`. At 1 the result is 0. It may
            be traced; the result is NaN if a traced rate is out of range. The gradients with
            respect to `x` and `rate` are finite in the whole range.
        mask_axes: the axes along which entries are dropped independently. Along the other axes the
            entries share one draw. None means all axes. For images `[batch, height, width,
            channel]`, `(0, 3)` drops whole channels of each example (spatial dropout), `(0, 1, 2)`
            drops all channels of a position, `(1, 2, 3)` drops the same entries of each example.
        inverted: whether to divide the kept entries by `1 - rate`.

    Returns:
        An array of the shape and dtype of `x`.

    Raises:
        ValueError: `rate` is out of range, `mask_axes` names an axis that `x` does not have or
            names one twice, or `key` is an array of keys.
        TypeError: `key` is not a typed key, `x` is not a floating array, `mask_axes` is not a
            sequence of integers, or `inverted` is not a bool.

    Example:
        >>> import jax
        >>> dropout(jax.random.key(0), jnp.ones(8), 0.5).tolist()
        [2.0, 2.0, 2.0, 0.0, 0.0, 2.0, 0.0, 2.0]
        >>> dropout(jax.random.key(4), jnp.ones((2, 3)), 0.5, mask_axes=(0,)).tolist()
        [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014. Tompson et al. (whole channels),
        [Efficient object localization using convolutional networks](
        https://arxiv.org/abs/1411.4280), 2015.
    """
    check_range("rate", rate, low=0.0, high=1.0)
    check_key("key", key)
    check_floating("x", x)
    check_mask_axes(mask_axes)
    check_flag("inverted", inverted)
    return masked(key, jnp.asarray(x), rate, mask_axes, inverted)[0]


def masked(
    key: Key[Array, ""],
    x: Float[Array, "*shape"],
    rate: ScalarLike,
    mask_axes: Sequence[int] | None,
    inverted: bool,
) -> tuple[Float[Array, "*shape"], Bool[Array, "..."]]:
    """Returns the result of `dropout` and its mask, True where an entry is kept; checks nothing."""
    mask, probability = bernoulli_mask(key, mask_shape(mask_axes, x.shape), rate)
    nothing = jnp.zeros_like(probability) * probability  # NaN if a traced rate is out of range
    if not inverted:
        return jnp.where(mask, x, nothing.astype(x.dtype)), mask
    wide = x.astype(wide_dtype(x.dtype))
    keep = probability.astype(wide.dtype)
    scale = jnp.where(keep == 0, 0, 1 / jnp.where(keep == 0, 1, keep))
    return jnp.where(mask, wide * scale, nothing.astype(wide.dtype)).astype(x.dtype), mask


class Dropout(RandomLayer):
    """Applies `dropout` in training. Evaluation returns the input, or `1 - rate` times the input.

    Evaluation multiplies by `1 - rate` only if `inverted` is False.

    Each layer, and each call of a layer, draws its own mask with a key of the random stream
    `rng_collection`, which `apply` takes as `rngs={"dropout": key}`. If that key is missing, the
    layer raises an error, while Flax's `Dropout` would draw from the stream `"params"`. So
    initialise a model with `train=False`, or give `init` a key for the stream too. Old-style keys
    (`jax.random.PRNGKey`) are accepted.

    In training the layer sows its mask, True where an entry is kept, in the collection `"masks"`,
    if `apply` has `"masks"` among its `mutable` collections. The mask has size 1 along axes whose
    entries share a draw.

    Attributes:
        rate: probability of dropping an entry, in `[0, 1]`. At 0 the layer needs no key.
        mask_axes: the axes along which entries are dropped independently, or None for all axes; see
            `dropout`.
        inverted: whether training divides the kept entries by `1 - rate`. False is standard
            dropout: training only drops, and evaluation multiplies by `1 - rate`. To avoid this
            multiplication in evaluation, scale the weights of the next layer once with
            `scale_weights`.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: `rate` is out of range, or `rng_collection` is `"params"`; when the layer is
            called, the input lacks an axis of `mask_axes`, or training finds no key for the stream
            in `rngs`.
        TypeError: `rng_collection` is not a string, `mask_axes` is not a sequence of integers, or
            `inverted` is not a bool; when the layer is called, `train` is not a bool or the input
            is not a floating array.

    Example:
        >>> import jax
        >>> layer = Dropout(0.5)
        >>> layer.apply({}, jnp.ones(4), train=False).tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> rngs = {"dropout": jax.random.key(0)}
        >>> layer.apply({}, jnp.ones(4), train=True, rngs=rngs).tolist()
        [2.0, 0.0, 2.0, 0.0]
        >>> standard = Dropout(0.5, inverted=False)
        >>> standard.apply({}, jnp.ones(4), train=True, rngs=rngs).tolist()
        [1.0, 0.0, 1.0, 0.0]
        >>> standard.apply({}, jnp.ones(4), train=False).tolist()
        [0.5, 0.5, 0.5, 0.5]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014.
    """

    rate: ScalarLike = 0.5
    mask_axes: Sequence[int] | None = None
    inverted: bool = True
    rng_collection: str = "dropout"

    def __post_init__(self) -> None:
        check_mask_axes(self.mask_axes)
        check_flag("inverted", self.inverted)
        super().__post_init__()

    def check_rate(self, rate: ScalarLike) -> None:
        check_range("rate", rate, low=0.0, high=1.0)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        mask_shape(self.mask_axes, shape)

    def drawn(
        self, key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
    ) -> Float[Array, "*shape"]:
        y, mask = masked(key, x, rate, self.mask_axes, self.inverted)
        self.sow_mask(mask)
        return y

    def undrawn(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        if self.is_mutable_collection("masks"):
            self.sow_mask(jnp.ones(mask_shape(self.mask_axes, x.shape), bool))
        return x

    def sow_mask(self, mask: Bool[Array, "..."]) -> None:
        if not self.is_initializing():
            self.sow("masks", "keep", mask)

    def evaluated(self, x: Float[Array, "*shape"], rate: ScalarLike) -> Float[Array, "*shape"]:
        return x if self.inverted else scaled(x, rate)


def scaled(x: Float[Array, "*shape"], rate: ScalarLike) -> Float[Array, "*shape"]:
    """Multiplies `x` by the rounded probability of keeping an entry."""
    wide = x.astype(wide_dtype(x.dtype))
    return (wide * keep_probability(rate).astype(wide.dtype)).astype(x.dtype)
