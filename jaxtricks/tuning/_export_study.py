"""A search as a file that optuna reads."""

import datetime
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import PyTree

from jaxtricks._checks import check_flag, check_instance, shown
from jaxtricks._local_path import local_path
from jaxtricks.tuning._distribution import Distribution, Interval
from jaxtricks.tuning._search import Search
from jaxtricks.tuning._space import leaves

CREATE_STUDY, CREATE_TRIAL = 0, 4  # operations of optuna's journal
MINIMIZE, MAXIMIZE = 1, 2
COMPLETE, PRUNED, FAILED = 1, 2, 3


def export_study(
    found: Search,
    space: PyTree,
    file: str | os.PathLike[str],
    *,
    name: str = "search",
    by: str = "loss",
    largest: bool = False,
) -> None:
    """Writes a search as a study of optuna, for its plots and its importances.

    The file is a journal, which optuna 4 and 5 read:
    `optuna.load_study(study_name=name, storage=JournalStorage(JournalFileBackend(file)))`. Optuna
    is not needed to write it. A trial that is not finite has failed; one that a search with rungs
    has ended is pruned. Where `by` is a curve, its values are intermediate ones, from step 1. Other
    numbers of the table are user attributes. What optuna has no category for, such as a function,
    is named by its text.

    Args:
        found: what `search` gave.
        space: that was searched.
        file: to write; it must not exist.
        name: of the study.
        by: the column that is the study's value.
        largest: whether the largest is the best.

    Raises:
        ValueError: there is no column `by`, or `space` is not that of the search.
        TypeError: an argument is of another type.
        FileExistsError: the file exists.
        OSError: it cannot be written.

    Example:
        >>> import jax, pathlib, tempfile
        >>> from jaxtricks.tuning import log_uniform, search
        >>> space = {"rate": log_uniform(1e-3, 1.0)}
        >>> found = search(
        ...     jax.random.key(0), lambda key, h: h["rate"] ** 2, space, 3, progress=False
        ... )
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "study.log"
        >>> export_study(found, space, file)
        >>> len(file.read_text().splitlines())  # the study and three trials
        4

    References:
        Akiba et al., [Optuna: a next-generation hyperparameter optimization framework](
        https://arxiv.org/abs/1907.10902), 2019.
    """
    check_instance("found", found, Search)
    check_instance("name", name, str)
    check_instance("by", by, str)
    check_flag("largest", largest)
    named = leaves(space)
    if by not in found.table or found.table[by].dtype == object:
        raise ValueError(f"by must be a column of numbers of the table, got {shown(by)}.")
    missing = sorted(set(named) - set(found.table))
    if missing:
        raise ValueError(f"space must be that of the search, whose table has no {missing[0]!r}.")
    study = {"study_name": name, "directions": [MAXIMIZE if largest else MINIMIZE]}
    records = [{"op_code": CREATE_STUDY, **study}, *trials(found, named, by)]
    text = "".join(json.dumps({**record, "worker_id": "jaxtricks"}) + "\n" for record in records)
    with local_path("file", file).open("x") as handle:
        handle.write(text)


def trials(found: Search, named: dict[str, Distribution], by: str) -> Iterator[dict[str, Any]]:
    """The journal's record of each trial."""
    table, now = found.table, datetime.datetime.now(datetime.UTC).isoformat()
    epochs = table.get("epochs", np.zeros(len(table[by])))
    others = [k for k, v in table.items() if k not in (*named, by, "trial") and v.dtype != object]
    for i, score in enumerate(table[by].tolist()):
        params, distributions = {}, {}
        for name, leaf in named.items():
            distributions[name], params[name] = described(name, leaf, table[name][i : i + 1])
        curve = found.curves[by][i].tolist() if by in found.curves else []
        finite = np.isfinite(score)
        ended = PRUNED if epochs[i] < epochs.max() else COMPLETE
        yield {
            "op_code": CREATE_TRIAL,
            "study_id": 0,
            "datetime_start": now,
            "datetime_complete": now,
            "state": ended if finite else FAILED,
            "value": score if finite else None,
            "params": params,
            "distributions": distributions,
            "intermediate_values": {
                step: value for step, value in enumerate(curve, 1) if np.isfinite(value)
            },
            "user_attrs": {key: table[key][i].item() for key in others},
        }


def described(name: str, leaf: Distribution, row: np.ndarray) -> tuple[str, Any]:
    """A leaf as optuna's distribution, and the value of one trial as that stores it.

    Raises:
        ValueError: the value is not of the leaf.
    """
    value = row[0]
    if not leaf.holds(row):
        raise ValueError(f"space must be that of the search, got {shown(value)} as {name!r}.")
    if not isinstance(leaf, Interval):
        place = next(i for i, own in enumerate(leaf.array()) if own == value)
        kind, attributes = "CategoricalDistribution", {"choices": [plain(v) for v in leaf.values]}
        return json.dumps({"name": kind, "attributes": attributes}), place
    kind = "IntDistribution" if leaf.integer else "FloatDistribution"
    attributes = {
        "low": leaf.low,
        "high": leaf.high,
        "log": leaf.logarithmic,
        "step": 1 if leaf.integer else None,
    }
    number = min(max(value.item(), leaf.low), leaf.high)  # float32 rounds past an end
    return json.dumps({"name": kind, "attributes": attributes}), number


def plain(value: Any) -> Any:
    """A value of a choice that optuna can hold."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "__qualname__", None) or repr(value)
