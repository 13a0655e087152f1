"""A grid: all combinations of evenly spaced hyper-parameters."""

import itertools
import math

import jax
import numpy as np
from jaxtyping import PyTree

from jaxtricks._checks import check_integer
from jaxtricks._prefix import expand_prefix
from jaxtricks.tuning._space import filled, is_distribution, leaves

MOST = 10_000_000  # largest number of trials


def grid(space: PyTree, points: int | PyTree) -> PyTree:
    """Makes all combinations of evenly spaced values of the hyper-parameters.

    The values include both ends of each interval. Those of `log_uniform` are spaced evenly in the
    logarithm. Values of `integers` that are equal after rounding count once. A `choice` contributes
    all its values.

    Args:
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        points: number of values of each interval, at least 1, where 1 takes the middle: one number
            for all leaves, or a tree of numbers like the space. For a `choice` it is ignored.

    Returns:
        A tree like the space, whose leaves are NumPy arrays with one value for each combination.
        The last leaf varies fastest.

    Raises:
        ValueError: `points` is under 1 or does not fit the space, the space is empty, or there are
            more than ten million combinations.
        TypeError: a leaf of the space is not a distribution, or a leaf of `points` is not an
            integer.

    Example:
        >>> from jaxtricks.tuning import choice, log_uniform
        >>> space = {"decay": choice((0.8, 0.9)), "rate": log_uniform(1e-3, 1e-1)}
        >>> found = grid(space, 3)
        >>> [(f"{d:.1f}", f"{r:.3g}") for d, r in zip(found["decay"], found["rate"])][:4]
        [('0.8', '0.001'), ('0.8', '0.01'), ('0.8', '0.1'), ('0.9', '0.001')]
    """
    named = leaves(space)
    numbers = leaves_of_points(points, space)
    axes = [leaf.spaced(number) for leaf, number in zip(named.values(), numbers, strict=True)]
    trials = math.prod(len(axis) for axis in axes)
    if trials > MOST:
        raise ValueError(f"points must give at most {MOST} combinations, got {trials}.")
    places = np.array(list(itertools.product(*(range(len(axis)) for axis in axes))))
    columns = [axis[places[:, i]] for i, axis in enumerate(axes)]
    return filled(space, dict(zip(named, columns, strict=True)))


def leaves_of_points(points: int | PyTree, space: PyTree) -> list[int]:
    """Lists the number of points of each leaf of the space."""
    marked = jax.tree.map(lambda _: 0, space, is_leaf=is_distribution)
    numbers = jax.tree.leaves(expand_prefix("points", points, marked))
    for number in numbers:
        check_integer("points", number, low=1, high=MOST)
    return numbers
