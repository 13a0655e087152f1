"""Narrowing of a search space to the region of the best trials."""

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
    """Narrows a search space to the region of the best trials, for a second, finer search.

    Each interval is replaced by the range of its values in the best trials. This range is extended
    on both sides by `margin` times its length (in the logarithm for a logarithmic interval), but
    not beyond the old interval. A `choice` keeps the values that occur in the best trials. A
    hyper-parameter without effect is hardly narrowed, because its values in the best trials cover
    the interval.

    If the best value is at an end of the old space, search a wider space first; the finer search
    cannot find values beyond that end.

    Args:
        space: the space that was searched.
        table: the `table` of the search, with a column for each leaf of the space, such as
            `"rule.learning_rate"`, and the column `by`.
        keep: number of best trials to use, at least 1. It must be so large that these trials have
            at least two values of each interval.
        by: the column that ranks the trials. Trials whose value in it is not finite are left out;
            trials that a search with `rungs` trained for longer rank first.
        largest: whether the largest value is the best, as with an accuracy.
        margin: extension on each side, as a fraction of the range of the best trials, at least 0.

    Returns:
        The narrowed space, a tree like `space`.

    Raises:
        ValueError: a column is missing or has values outside the space, fewer than `keep` trials
            have a finite value in `by`, or the best trials have only one value of an interval.
        TypeError: an argument has a wrong type.

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
        raise ValueError(
            f"keep must be at most the {len(finite)} trials with a finite {by}, got {keep}."
        )
    epochs = np.asarray(table.get("epochs", np.zeros(len(scores))))[finite]
    order = np.lexsort((-scores[finite] if largest else scores[finite], -epochs))
    best = finite[order[:keep]]
    narrowed = []
    for name, leaf in named.items():
        static = isinstance(leaf, Options) and leaf.static
        values = (objects(table[name]) if static else np.asarray(table[name]))[best]
        if not leaf.holds(values):
            raise ValueError(
                f"table must be that of a search of this space, got {shown(values)} as {name!r}."
            )
        new = leaf.narrowed(values, float(margin))
        if isinstance(new, Interval) and not new.low < new.high:
            raise ValueError(
                f"keep must be larger, got {keep}: the best trials have only one value of {name!r}."
            )
        narrowed.append(new)
    return jax.tree.unflatten(jax.tree.structure(space), narrowed)
