"""Fractional max pooling: an image shrinks by a factor between 1 and 2, in random regions."""

import math
from collections.abc import Sequence
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_flag, check_key, check_range, shown
from jaxtricks.regularizers._random_layer import check_stream, stream_key

Ratio = float | tuple[float, float]
Pooled = Float[Array, "batch rows columns channel"]
Indices = Int[Array, "batch rows columns channel"]


def fractional_max_pool(
    key: Key[Array, ""] | None,
    x: Float[Array, "batch height width channel"],
    ratio: Ratio,
    *,
    overlapping: bool = True,
    pseudo_random: bool = True,
    return_indices: bool = False,
) -> Pooled | tuple[Pooled, Indices]:
    r"""Returns the maxima over a grid of regions whose heights and widths are drawn at random.

    The $N$ rows of an image are divided by borders $b_0 = 0 < b_1 < \dots < b_M$, which are 1 or 2
    rows apart; columns are divided in the same way. Disjoint regions reach from row $b_{i-1}$ to
    row $b_i - 1$, with $b_M = N$. Overlapping regions reach to row $b_i$, which the next region
    shares, with $b_M = N - 1$. The number of regions is $M = \lceil b_M / \alpha \rceil$.
    Between random borders the steps of 1 and 2 are in random order. Pseudo-random borders are
    $b_i = \lfloor \beta (i + u) \rfloor - \lfloor \beta u \rfloor$ with $\beta = b_M / M$ and one
    random number $u$; they spread the steps evenly and distort the image less. Each example draws
    its own borders, which all its channels share.

    In PyTorch's `FractionalMaxPool2d` the regions start at the same sequence of rows, with
    $b_{M-1} = N - K$, but each region has the size $K$ (`kernel_size`), and each channel draws its
    own regions.

    Args:
        key: random key of the regions. None gives the pseudo-random regions of $u = 1/2$ for use in
            evaluation, whatever `pseudo_random` is.
        x: the images.
        ratio: $\alpha$, the factor by which images shrink, in `(1, 2]`: one number, or a pair for
            height and width. With 2, disjoint regions and even sizes it is ordinary 2x2 pooling.
        overlapping: whether neighbouring regions share a row or a column.
        pseudo_random: whether the borders are pseudo-random, as defined above, instead of random.
        return_indices: whether to return also the index of each maximum,
            `row * width + column` in its channel. If several entries of a region are the largest,
            it is the index of the first.

    Returns:
        The maxima in the dtype of `x`, and the indices if `return_indices` is True. The gradient
        of a maximum goes to the first largest entry of its region.

    Raises:
        ValueError: a ratio is out of range, `x` does not have four axes, or an image has no rows or
            no columns.
        TypeError: `key` is neither a typed key nor None, `x` is not a floating array, `ratio` is
            neither a number nor a pair of numbers or is traced, or a flag is not a bool.

    Example:
        >>> x = jnp.arange(25.0).reshape(1, 5, 5, 1)
        >>> fractional_max_pool(None, x, 1.8, overlapping=False)[0, :, :, 0].tolist()
        [[6.0, 8.0, 9.0], [16.0, 18.0, 19.0], [21.0, 23.0, 24.0]]

    References:
        Graham, [Fractional max-pooling](https://arxiv.org/abs/1412.6071), 2014.
    """
    ratios = check_ratio(ratio)
    check_flag("overlapping", overlapping)
    check_flag("pseudo_random", pseudo_random)
    check_flag("return_indices", return_indices)
    check_floating("x", x)
    x = jnp.asarray(x)
    if x.ndim != 4 or 0 in x.shape[1:3]:
        raise ValueError(f"x must be [batch, height, width, channel], got the shape {x.shape}.")
    batch, height, width, _ = x.shape
    if key is not None:
        check_key("key", key)
    keys = (None, None) if key is None else jax.random.split(key)
    rows, columns = (
        draw_borders(one, batch, size, r, overlapping=overlapping, pseudo_random=pseudo_random)
        for one, size, r in zip(keys, (height, width), ratios, strict=True)
    )
    places = jnp.broadcast_to(jnp.arange(width).reshape(1, 1, -1, 1), x.shape)
    x, across = _pool(x, places, columns, 2, overlapping)
    places = jnp.arange(height).reshape(1, -1, 1, 1) * width + across
    maxima, indices = _pool(x, places, rows, 1, overlapping)
    return (maxima, indices) if return_indices else maxima


def check_ratio(ratio: object) -> tuple[float, float]:
    """Checks a ratio or a pair of ratios, and returns the ratios of both axes.

    Raises:
        ValueError: a ratio is out of range.
        TypeError: `ratio` is neither a number nor a pair of numbers, or is traced.
    """
    pair = ratio if isinstance(ratio, Sequence) and not isinstance(ratio, str) else (ratio, ratio)
    if len(pair) != 2 or any(isinstance(one, jax.core.Tracer) for one in pair):
        raise TypeError(f"ratio must be a number or a pair, and not traced, got {shown(ratio)}.")
    for one in pair:
        check_range("ratio", one, above=1.0, high=2.0)
    return float(pair[0]), float(pair[1])


def draw_borders(
    key: Key[Array, ""] | None,
    batch: int,
    size: int,
    ratio: float,
    *,
    overlapping: bool,
    pseudo_random: bool,
) -> Int[Array, "batch borders"]:
    """Returns the borders of the regions of each example; there is one border more than regions."""
    last = size - 1 if overlapping and size > 1 else size
    regions = math.ceil(last / ratio - 1e-9)
    if key is None:
        draw = jnp.full((batch, 1), last // 2)
    elif pseudo_random:
        draw = jax.random.randint(key, (batch, 1), 0, last)
    else:
        steps = jnp.where(jnp.arange(regions) < last - regions, 2, 1)
        shuffle = jax.vmap(lambda one: jax.random.permutation(one, steps))
        ends = jnp.cumsum(shuffle(jax.random.split(key, batch)), axis=1)
        return jnp.concatenate([jnp.zeros((batch, 1), int), ends], axis=1)
    # Integers in place of beta (i + u) give the same borders without rounding errors. The products
    # need 64 bits.
    quotients, remainders = np.divmod(last * np.arange(regions + 1, dtype=np.int64), regions)
    quotients, remainders = np.int32([quotients]), np.int32([remainders])
    return quotients + (remainders + draw) // regions - draw // regions


def _pool(
    x: Float[Array, "batch height width channel"],
    places: Int[Array, "batch height width channel"],
    borders: Int[Array, "batch borders"],
    axis: int,
    overlapping: bool,
) -> tuple[Array, Array]:
    """Returns the maxima along one axis and their positions; among equal entries, of the first."""
    starts, ends = borders[:, :-1], borders[:, 1:] - int(not overlapping)
    ends = jnp.minimum(ends, x.shape[axis] - 1)

    def entries(array: Array, index: Array) -> Array:
        shape = [1, 1, 1, 1]
        shape[0], shape[axis] = index.shape
        return jnp.take_along_axis(array, index.reshape(shape), axis=axis)

    best, where = entries(x, starts), entries(places, starts)
    for offset in range(1, 3 if overlapping else 2):
        index = jnp.minimum(starts + offset, ends)  # taking the last entry twice changes nothing
        new, there = entries(x, index), entries(places, index)
        larger = (new > best) | (jnp.isnan(new) & ~jnp.isnan(best))
        best, where = jnp.where(larger, new, best), jnp.where(larger, there, where)
    return best, where


class FractionalMaxPool(nn.Module):
    """Applies `fractional_max_pool`, with random regions in training and fixed ones in evaluation.

    Training needs a random key, which `apply` takes as `rngs={"dropout": key}`; see `Dropout`.

    Attributes:
        ratio: factor by which height and width shrink, in `(1, 2]`: one number, or a pair.
        overlapping: whether neighbouring regions share a row or a column.
        pseudo_random: whether the borders in training are pseudo-random instead of random; see
            `fractional_max_pool`.
        rng_collection: name of the random stream that gives the keys; not `"params"`.

    Raises:
        ValueError: a ratio is out of range, `rng_collection` is `"params"`, the input does not have
            four axes, or `rngs` has no key for the stream when the layer is called in training.
        TypeError: an attribute has the wrong type; when the layer is called, `train` is not a bool
            or the input is not a floating array.

    Example:
        >>> x = jnp.zeros((2, 36, 36, 3))
        >>> FractionalMaxPool(2**0.5).apply({}, x, train=False).shape
        (2, 25, 25, 3)

    References:
        Graham, [Fractional max-pooling](https://arxiv.org/abs/1412.6071), 2014.
    """

    ratio: Ratio
    overlapping: bool = True
    pseudo_random: bool = True
    rng_collection: str = "dropout"

    def __post_init__(self) -> None:
        check_ratio(self.ratio)
        check_flag("overlapping", self.overlapping)
        check_flag("pseudo_random", self.pseudo_random)
        check_stream(self.rng_collection)
        super().__post_init__()

    def __call__(self, x: Float[Array, "batch height width channel"], *, train: bool) -> Pooled:
        """Pools images over new random regions in training, and over fixed ones in evaluation.

        Args:
            x: the images.
            train: whether the regions are random.
        """
        check_flag("train", train)
        key = stream_key(self, self.rng_collection) if train else None
        settings = {"overlapping": self.overlapping, "pseudo_random": self.pseudo_random}
        return cast(Pooled, fractional_max_pool(key, x, self.ratio, **settings))
