"""Summary statistics of the values of a layer."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxtricks._array_checks import check_floating, real_array
from jaxtricks._checks import MAX_INT32, check_range, shown
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.probes._norm import unit_scale


class Statistics(NamedTuple):
    """Summary statistics of all entries of an array; all but `counts` are float32 or wider.

    Attributes:
        mean: mean of the entries.
        std: standard deviation, with the divisor N.
        rms: square root of the mean of the squares.
        quantiles: the requested quantiles, interpolated linearly.
        share_saturated: fraction of the entries whose distance from `centre` exceeds `saturation`.
        share_zero: fraction of the entries that are exactly 0.
        excess_kurtosis: fourth standardised moment minus 3: 0 for a Gaussian, -1.2 for a uniform
            distribution, -2 for two equal peaks, 0 if all entries are equal, and NaN if an entry
            is not finite.
        counts: number of entries in each bin, int32; entries outside the bins are not counted.
    """

    mean: Float[Array, ""]
    std: Float[Array, ""]
    rms: Float[Array, ""]
    quantiles: Float[Array, " quantiles"]
    share_saturated: Float[Array, ""]
    share_zero: Float[Array, ""]
    excess_kurtosis: Float[Array, ""]
    counts: Int[Array, " bins"]


def statistics(
    values: Float[Array, "*shape"] | Float[np.ndarray, "*shape"],
    *,
    quantiles: Sequence[float] | Float[Array, " quantiles"] = (0.05, 0.25, 0.5, 0.75, 0.95),
    saturation: ScalarLike = 0.99,
    centre: ScalarLike = 0.0,
    edges: Sequence[float] | Float[Array, " edges"] = tuple(i / 20 for i in range(-20, 21)),
) -> Statistics:
    """Computes summary statistics of all entries of an array.

    Entries of all axes are pooled; use `jax.vmap` for separate statistics along an axis. Sums are
    computed after a division by a power of 2 near the largest absolute value, so the results are
    finite and accurate for absolute values from about 1e-30 to 1e38.

    Args:
        values: a layer's activations or gradients, any shape with 1 to `2**31 - 1` entries.
        quantiles: the quantiles to compute, numbers in `[0, 1]`.
        saturation: distance from `centre` above which an entry counts as saturated, at least 0. The
            default suits tanh: where tanh is 0.99, its slope is 0.02.
        centre: centre of the activation's range: 0 for tanh; 0.5 for a sigmoid, together with a
            `saturation` of about 0.49.
        edges: edges of the histogram's bins, increasing. A bin includes its left edge; the last bin
            also includes its right edge.

    Raises:
        ValueError: `values` is empty or has `2**31` or more entries, `saturation` is negative or
            not finite, `centre` is not finite, a quantile is not in `[0, 1]`, or `edges` are fewer
            than two or not increasing.
        TypeError: `values` is not a floating array, or another argument is not real.

    Example:
        >>> found = statistics(jnp.array([-1.0, 1.0, 1.0, -1.0]), edges=jnp.array([-1.5, 0.0, 1.5]))
        >>> float(found.std), float(found.share_saturated), float(found.excess_kurtosis)
        (1.0, 1.0, -2.0)
        >>> found.counts.tolist()
        [2, 2]

    References:
        Glorot and Bengio, [Understanding the difficulty of training deep feedforward neural
        networks](https://proceedings.mlr.press/v9/glorot10a.html), 2010, sections 3 and 4.
    """
    check_floating("values", values)
    check_range("saturation", saturation, low=0.0)
    check_range("centre", centre)
    _check_quantiles(quantiles)
    _check_edges(edges)
    x = jnp.asarray(values).ravel()
    if not 0 < x.size <= MAX_INT32:
        raise ValueError(f"values must have 1 to 2^31 - 1 entries, got the shape {values.shape}.")
    # Without the barrier XLA would sort a constant array at compile time, which takes minutes.
    x = jax.lax.optimization_barrier(x.astype(wide_dtype(x.dtype)))
    scale = unit_scale(x)[0]
    unit = x / scale
    # The mean of equal entries, computed from their sum, may differ from them by rounding.
    mean = jnp.where(jnp.all(x == x[0]), unit[0], jnp.mean(unit))
    std = jnp.sqrt(jnp.mean(jnp.square(unit - mean)))
    standard = (unit - mean) / jnp.where(std == 0, 1, std)
    return Statistics(
        mean=scale * mean,
        std=scale * std,
        rms=scale * jnp.sqrt(jnp.mean(jnp.square(unit))),
        quantiles=scale * jnp.quantile(unit, jnp.asarray(quantiles, x.dtype)),
        share_saturated=_share(jnp.abs(x - centre) > saturation, x.dtype),
        share_zero=_share(x == 0, x.dtype),
        excess_kurtosis=jnp.where(std == 0, 0, jnp.mean(standard**4) - 3),
        counts=_counts(x, jnp.asarray(edges, x.dtype)),
    )


def _share(chosen: Bool[Array, " entries"], dtype: np.dtype) -> Float[Array, ""]:
    return jnp.sum(chosen, dtype=jnp.int32).astype(dtype) / chosen.size


def _counts(x: Float[Array, " entries"], edges: Float[Array, " edges"]) -> Int[Array, " bins"]:
    """Counts the entries in each bin, in int32, because float32 cannot count beyond 2^24."""
    places = jnp.searchsorted(edges, x, side="right")  # 0 means below the first edge
    places = jnp.where(x == edges[-1], len(edges) - 1, places)
    return jnp.zeros(len(edges) + 1, jnp.int32).at[places].add(1)[1:-1]


def _check_quantiles(quantiles: object) -> None:
    shares = real_array("quantiles", quantiles)
    if not isinstance(shares, jax.core.Tracer):
        for index, share in enumerate(np.ravel(shares)):
            check_range(f"quantiles[{index}]", share, low=0.0, high=1.0)


def _check_edges(edges: object) -> None:
    row = real_array("edges", edges)
    if row.ndim != 1 or len(row) < 2:
        raise ValueError(f"edges must be a row of two or more numbers, got {shown(edges)}.")
    if not isinstance(row, jax.core.Tracer) and not np.all(np.diff(row) > 0):
        raise ValueError(f"edges must increase, got {shown(edges)}.")
