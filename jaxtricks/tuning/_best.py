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
        hyper_parameters: of the best trial, the tree of the space with one value at each leaf.
        trial: its row in the table.
        score: its result, which chose it and is therefore better than what it will give again.
        at_edge: "low" or "high" for each hyper-parameter whose value is at that edge of those that
            were tried, by name.
    """

    hyper_parameters: PyTree
    trial: int
    score: float
    at_edge: dict[str, Literal["low", "high"]]


def best(
    found: Search, *, by: str = "loss", largest: bool = False, edge: ScalarLike = 0.05
) -> Best:
    """Finds the trial with the best result, and says where a wider space should be searched.

    Args:
        found: what `search` gave.
        by: the column that ranks the trials. Those for which it is not finite cannot win, nor those
            that a search with rungs has ended early.
        largest: whether the largest value is the best, as with an accuracy.
        edge: a value is at an edge if fewer than this share of the trials have a smaller one, or a
            larger one; from 0 to 0.5. 0 says nothing; of 20 trials and fewer, 0.05 means the least
            and the largest. Chance alone puts a hyper-parameter that does not matter there in about
            a tenth of all searches at 0.05.

    Raises:
        ValueError: there is no column `by`, no trial is finite in it, or `edge` is out of range.
        TypeError: an argument is of another type.

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
        raise ValueError(f"by must be finite in a trial that was not ended, got none in {by!r}.")
    chosen = jax.tree.map(lambda values: values[trial], found.hyper_parameters)
    ends = {
        name_of(path): edge_of(values, trial, float(edge))
        for path, values in jax.tree_util.tree_leaves_with_path(found.hyper_parameters)
    }
    at_edge = {name: end for name, end in ends.items() if end is not None}
    return Best(chosen, trial, float(found.table[by][trial]), at_edge)


def edge_of(values: np.ndarray, trial: int, edge: float) -> Literal["low", "high"] | None:
    """Of which edge hardly any of the values lie beyond; of two values, or of others, none."""
    if values.dtype == object:  # static ones: widths have an order, activations have none
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
