"""Export of a search to a file that optuna can read."""

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

CREATE_STUDY, CREATE_TRIAL = 0, 4  # codes of operations in optuna's journal
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
    """Writes a search to a file as an optuna study, for optuna's plots and parameter importances.

    The file is an optuna journal, which optuna 4 and 5 read with
    `optuna.load_study(study_name=name, storage=JournalStorage(JournalFileBackend(file)))`. Writing
    the file does not need optuna. Trials whose value `by` is not finite have the state "failed";
    trials that a search with `rungs` ended early have the state "pruned". If `by` is a curve, its
    values become intermediate values, counted from step 1. Other columns of numbers become user
    attributes. Hyper-parameters that optuna cannot store, such as functions, are replaced by their
    names.

    Args:
        found: the result of `search`.
        space: the space that was searched.
        file: the file to write, which must not exist.
        name: name of the study.
        by: the column of `found.table` that becomes the value of each trial.
        largest: whether the largest value is the best.

    Raises:
        ValueError: there is no column `by`, it does not hold numbers, or `space` is not that of the
            search.
        TypeError: an argument has a wrong type.
        FileExistsError: the file exists.
        OSError: the file cannot be written.

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
        raise ValueError(
            f"space must be that of the search, but its table has no column {missing[0]!r}."
        )
    study = {"study_name": name, "directions": [MAXIMIZE if largest else MINIMIZE]}
    records = [{"op_code": CREATE_STUDY, **study}, *trials(found, named, by)]
    text = "".join(json.dumps({**record, "worker_id": "jaxtricks"}) + "\n" for record in records)
    with local_path("file", file).open("x") as handle:
        handle.write(text)


def trials(found: Search, named: dict[str, Distribution], by: str) -> Iterator[dict[str, Any]]:
    """Yields the journal record of each trial."""
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
    """Converts a leaf to an optuna distribution, and the value of one trial to its stored form.

    Raises:
        ValueError: the value does not belong to the leaf.
    """
    value = row[0]
    if not leaf.holds(row):
        raise ValueError(
            f"space must be that of the search, but its table has {shown(value)} as {name!r}."
        )
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
    number = min(max(value.item(), leaf.low), leaf.high)  # float32 may round beyond an end
    return json.dumps({"name": kind, "attributes": attributes}), number


def plain(value: Any) -> Any:
    """Converts a value of a `choice` to one that optuna can store."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "__qualname__", None) or repr(value)
