"""The best trial of a search."""

from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from jaxtricks._checks import check_flag, check_instance, check_range, shown
from jaxtricks._types import ScalarLike
from jaxtricks.tuning._search import Search
from jaxtricks.tuning._space import name_of


class Best(NamedTuple):
    """The result of `best`.

    Attributes:
        hyper_parameters: the hyper-parameters of the best trial: a tree like the search space, with
            one value at each leaf.
        trial: the row of the best trial in the table.
        score: the value of the column `by` in the best trial. The trial was chosen for this value,
            so further runs with its hyper-parameters will usually give a worse one; `retrain`
            measures how much worse.
        at_edge: the hyper-parameters whose best value is near an end of the values that were tried:
            a dict from their names, which are their columns in the table, to `"low"` or `"high"`.
    """

    hyper_parameters: PyTree
    trial: int
    score: float
    at_edge: dict[str, Literal["low", "high"]]


def best(
    found: Search, *, by: str = "loss", largest: bool = False, edge: ScalarLike = 0.05
) -> Best:
    """Finds the best trial of a search, and the hyper-parameters that need a wider search space.

    Args:
        found: the result of `search`.
        by: the column of `found.table` that ranks the trials. Trials whose value in it is not
            finite, and trials that a search with `rungs` ended early, are not considered.
        largest: whether the largest value is the best, as with an accuracy.
        edge: a fraction of the trials, from 0 to 0.5. The best value of a hyper-parameter is at an
            edge if less than this fraction of the trials have a smaller value, or a larger one.
            With 0 no edge is reported; with 0.05 and at most 20 trials, only the smallest and the
            largest value are edges. With 0.05 a hyper-parameter that has no effect is reported by
            chance in about a tenth of all searches.

    Returns:
        The best trial. A hyper-parameter in its `at_edge` may have better values beyond that edge.

    Raises:
        ValueError: there is no column `by`, no trial that ran to its end has a finite value in it,
            or `edge` is out of range.
        TypeError: an argument has a wrong type, or the column `by` does not hold numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxtricks.tuning import log_uniform, search
        >>> def run(key, rate):
        ...     return (jnp.log10(rate) + 2) ** 2
        >>> narrow = search(jax.random.key(0), run, log_uniform(1e-5, 1e-3), 50, progress=False)
        >>> best(narrow).at_edge
        {'value': 'high'}
    """
    check_instance("found", found, Search)
    check_instance("by", by, str)
    check_flag("largest", largest)
    check_range("edge", edge, low=0.0, high=0.5)
    if by not in found.table:
        raise ValueError(f"by must be one of {sorted(found.table)}, got {shown(by)}.")
    if found.table[by].dtype == object:
        raise TypeError(f"by must be a column of numbers, got {shown(by)}.")
    scores = np.asarray(found.table[by], float)
    epochs = found.table.get("epochs", np.zeros(len(scores)))
    may_win = np.isfinite(scores) & (epochs == np.max(epochs))
    scores = np.where(may_win, -scores if largest else scores, np.inf)
    trial = int(np.argmin(scores))
    if not np.isfinite(scores[trial]):
        raise ValueError(
            f"by must be finite in at least one trial that ran to its end, got none for {by!r}."
        )
    chosen = jax.tree.map(lambda values: values[trial], found.hyper_parameters)
    ends = {
        name_of(path): edge_of(values, trial, float(edge))
        for path, values in jax.tree_util.tree_leaves_with_path(found.hyper_parameters)
    }
    at_edge = {name: end for name, end in ends.items() if end is not None}
    return Best(chosen, trial, float(found.table[by][trial]), at_edge)


def edge_of(values: np.ndarray, trial: int, edge: float) -> Literal["low", "high"] | None:
    """Finds the end of `values` near which the value of a trial is.

    The result is None if the value is in the middle, if there are fewer than three different
    values, or if the values have no order.
    """
    if values.dtype == object:  # static values: widths have an order, activations have none
        if not all(isinstance(value, int | float) for value in values):
            return None
        ranks = sorted(set(values))
        values = np.array([ranks.index(value) for value in values])
    if len(np.unique(values)) < 3:
        return None
    low, high = np.mean(values < values[trial]) < edge, np.mean(values > values[trial]) < edge
    if low == high:
        return None
    return "low" if low else "high"
