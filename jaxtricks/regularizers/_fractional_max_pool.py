"""Fractional max-pooling: regions of random sizes, so that an image shrinks by less than half."""

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
    r"""Takes the maxima over a grid of regions whose heights and widths are drawn at random.

    Borders $b_0 = 0 < b_1 < \dots < b_M$ lie 1 or 2 apart. Disjoint regions are the rows from
    $b_{i-1}$ to $b_i - 1$, with $b_M = N$, the number of rows, and tile the image; overlapping ones
    go on to $b_i$, with $b_M = N - 1$, and share their borders. Their number is
    $M = \lceil b_M / \alpha \rceil$.
    Random borders are a shuffled sequence of steps of 1 and 2; pseudo-random ones,
    $b_i = \lfloor \beta (i + u) \rfloor - \lfloor \beta u \rfloor$ with $\beta = b_M / M$ and one
    draw $u$, spread the steps evenly and distort less. Columns likewise. Every example draws its
    own; channels share them.

    PyTorch's `FractionalMaxPool2d` takes the first rows of its regions from the same sequence, with
    $b_{M-1} = N - K$; they all have the size $K$, its `kernel_size`, and every channel draws.

    Args:
        key: draws the regions; None takes the pseudo-random ones of $u = 1/2$, for evaluation.
        x: images.
        ratio: $\alpha$, in `(1, 2]`, for both axes or one for each; 2 is ordinary pooling of pairs
            where regions are disjoint and sizes even.
        overlapping: whether neighbours share a row and a column.
        pseudo_random: whether the steps are spread evenly.
        return_indices: whether to tell where in its channel each maximum was, `row * width +
            column`: of equals the first.

    Returns:
        Maxima, of the dtype of `x`, and the indices if they are asked for. The gradient goes to the
        first largest entry of a region.

    Raises:
        ValueError: a ratio is out of range, or `x` has not four axes, or no row or column.
        TypeError: `key` is neither a typed key nor None, `x` no floating array, `ratio` neither a
            number nor a pair, or a flag not a bool.

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
    """The ratios of both axes.

    Raises:
        ValueError: one is out of range.
        TypeError: it is neither a number nor a pair.
    """
    pair = ratio if isinstance(ratio, Sequence) and not isinstance(ratio, str) else (ratio, ratio)
    if len(pair) != 2 or any(isinstance(one, jax.core.Tracer) for one in pair):
        raise TypeError(f"ratio must be a number or two, known beforehand, got {shown(ratio)}.")
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
    """The borders of the regions of every example, one more than regions."""
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
    # Whole numbers in place of b (i + u): the same borders, without roundings. Products in 64 bits.
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
    """Maxima along one axis, and the places that they come from; of equals the first."""
    starts, ends = borders[:, :-1], borders[:, 1:] - int(not overlapping)
    ends = jnp.minimum(ends, x.shape[axis] - 1)

    def entries(array: Array, index: Array) -> Array:
        shape = [1, 1, 1, 1]
        shape[0], shape[axis] = index.shape
        return jnp.take_along_axis(array, index.reshape(shape), axis=axis)

    best, where = entries(x, starts), entries(places, starts)
    for offset in range(1, 3 if overlapping else 2):
        index = jnp.minimum(starts + offset, ends)  # the last entry again changes nothing
        new, there = entries(x, index), entries(places, index)
        larger = (new > best) | (jnp.isnan(new) & ~jnp.isnan(best))
        best, where = jnp.where(larger, new, best), jnp.where(larger, there, where)
    return best, where


class FractionalMaxPool(nn.Module):
    """Applies `fractional_max_pool`: random regions in training, fixed ones in evaluation.

    Stream and keys are those of `Dropout`.

    Attributes:
        ratio: by which height and width shrink, in `(1, 2]`, or a pair.
        overlapping: whether neighbouring regions share a row and a column.
        pseudo_random: whether the sizes of regions are spread evenly.
        rng_collection: name of the stream, any but `"params"`.

    Raises:
        ValueError: a ratio is out of range, the stream is `"params"`, the input has not four axes,
            or, when called in training, `rngs` has no key for the stream.
        TypeError: an attribute is of another type, or, when called, `train` is not a bool or the
            input not a floating array.

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
        """Pools images, by regions drawn anew in training.

        Args:
            x: images.
            train: whether the regions are random.
        """
        check_flag("train", train)
        key = stream_key(self, self.rng_collection) if train else None
        settings = {"overlapping": self.overlapping, "pseudo_random": self.pseudo_random}
        return cast(Pooled, fractional_max_pool(key, x, self.ratio, **settings))
