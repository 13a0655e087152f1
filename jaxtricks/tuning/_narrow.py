"""From a coarse search to a finer one."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxtricks._checks import check_flag, check_instance, check_integer, check_range, shown
from jaxtricks._types import ScalarLike
from jaxtricks.tuning._distribution import Interval, Options, objects
from jaxtricks.tuning._space import leaves


def narrow(
    space: PyTree,
    table: Mapping[str, Any],
    keep: int,
    *,
    by: str = "loss",
    largest: bool = False,
    margin: ScalarLike = 0.1,
) -> PyTree:
    """Cuts a search space down to where the best trials of a search are.

    An interval becomes the one from the least to the greatest of their values, longer by `margin`
    of itself on both sides, in the logarithm where that is uniform; it never leaves the old one. A
    `choice` keeps the values that are among them. A hyper-parameter that does not matter is hardly
    narrowed, because good trials have all its values.

    If the best value lies at an end of the old space, the fine search cannot find what may lie
    beyond it: search a wider space first.

    Args:
        space: that was searched.
        table: of the search, with a column for each leaf of the space, such as
            `"rule.learning_rate"`, and the one that ranks.
        keep: how many of the best trials, so many that they differ in each interval.
        by: the column that ranks them. Trials for which it is not finite are left out, and those
            that a search with rungs trained for longer come first.
        largest: whether the largest are the best, as with an accuracy.
        margin: at least 0.

    Returns:
        The narrowed space, a tree like the old one.

    Raises:
        ValueError: a column is missing or has values outside of the space, fewer than `keep` trials
            are finite, or the best trials have one value of an interval.
        TypeError: an argument is of another type.

    Example:
        >>> from jaxtricks.tuning import log_uniform
        >>> table = {"rate": [1e-4, 1e-3, 1e-2, 1e-1], "loss": [0.9, 0.2, 0.3, float("nan")]}
        >>> fine = narrow({"rate": log_uniform(1e-5, 1.0)}, table, 2, margin=0.0)
        >>> f"{fine['rate'].low:.3g}, {fine['rate'].high:.3g}"
        '0.001, 0.01'
    """
    if not isinstance(table, Mapping):
        raise TypeError(f"table must be a dict such as found.table, got {shown(table)}.")
    check_integer("keep", keep, low=1)
    check_instance("by", by, str)
    check_flag("largest", largest)
    check_range("margin", margin, low=0.0)
    named = leaves(space)
    for name in (*named, by):
        if name not in table:
            raise ValueError(f"table must have the column {name!r}, got {shown(sorted(table))}.")
    scores = np.asarray(table[by], float)
    finite = np.flatnonzero(np.isfinite(scores))
    if len(finite) < keep:
        raise ValueError(f"keep must not be over the {len(finite)} finite trials, got {keep}.")
    epochs = np.asarray(table.get("epochs", np.zeros(len(scores))))[finite]
    order = np.lexsort((-scores[finite] if largest else scores[finite], -epochs))
    best = finite[order[:keep]]
    narrowed = []
    for name, leaf in named.items():
        static = isinstance(leaf, Options) and leaf.static
        values = (objects(table[name]) if static else np.asarray(table[name]))[best]
        if not leaf.holds(values):
            raise ValueError(f"table must be of this space, got {shown(values)} as {name!r}.")
        new = leaf.narrowed(values, float(margin))
        if isinstance(new, Interval) and not new.low < new.high:
            raise ValueError(f"keep must be larger: of {name!r} the best {keep} have one value.")
        narrowed.append(new)
    return jax.tree.unflatten(jax.tree.structure(space), narrowed)
