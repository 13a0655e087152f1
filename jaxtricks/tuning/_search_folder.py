"""The folder of a search: checks that it belongs to the search, and that all processes see it."""

import contextlib
import functools
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks import _json_lines
from jaxtricks._folder_lock import locked
from jaxtricks._local_path import local_path
from jaxtricks._processes import of_all_processes, on_first_process
from jaxtricks._regular_file import read_regular
from jaxtricks.tuning._finished import NAME, Finished, files, read_all

Row = dict[str, Any]  # the hyper-parameters of one trial


@contextlib.contextmanager
def open_folder(
    folder: str | os.PathLike[str] | None, search: str, rows: Sequence[Row], *, resume: bool
) -> Iterator[Finished]:
    """Opens and locks the folder of a search, and yields its finished trials, to be added to.

    Args:
        folder: as in `search`.
        search: the digest of the search.
        rows: the hyper-parameters of each trial.
        resume: as in `search`.

    Raises:
        ValueError: the folder holds another search, or this one and `resume` is False; or several
            processes have no folder, see different folders, or pass different arguments.
        RuntimeError: another search is writing to the folder.
        OSError: the folder or a file cannot be used.
    """
    if folder is None:
        if resume:
            raise ValueError("folder must be given with resume=True, got None.")
        if jax.process_count() > 1:
            raise ValueError(
                f"folder must be given to a search of {jax.process_count()} processes, got None: "
                "give one that all of them see."
            )
        yield Finished(None, search, rows)
        return
    path = local_path("folder", folder)
    check_same_search(search, rows)
    with contextlib.ExitStack() as stack:

        def begin() -> None:
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(path))
            check_search(path, search, rows, resume=resume)

        on_first_process(begin)
        check_seen(path)
        done = Finished(path, search, rows, read_all(path))
        of_all_processes(np.zeros(1, bool))  # no process writes before all have read
        yield done


def check_search(folder: Path, search: str, rows: Sequence[Row], *, resume: bool) -> None:
    """Checks that a folder holds this search or none; in an empty folder, writes the header.

    Raises:
        ValueError: the folder holds another search, or this one and `resume` is False.
    """
    records = read_all(folder)
    if not records and not all(is_torn_header(read_regular(file)) for file in files(folder)):
        raise ValueError(
            f"folder must hold a search or none, but the {NAME} in {os.fspath(folder)!r} is not "
            "that of a search. Use another folder."
        )
    if not any("trial" in record for record in records):
        records = []  # the search ended before a trial was finished
        for file in files(folder):
            file.unlink()
    if records and not resume:
        raise ValueError(f"folder {os.fspath(folder)!r} holds a search: resume=True continues it.")
    if {record.get("search") for record in records} - {search}:
        raise ValueError(
            f"folder {os.fspath(folder)!r} holds another search: the key, the names or dtypes of "
            "the hyper-parameters, shared, the precision, rungs or (with rungs) the trials, by, "
            "largest or reduction differ, or its header is damaged. Use another folder."
        )
    for record in records:
        trial = record.get("trial", len(rows))
        if trial < len(rows) and not equal(record["hyper_parameters"], rows[trial]):
            raise ValueError(
                f"folder {os.fspath(folder)!r} holds another search, in which trial {trial} has "
                f"{record['hyper_parameters']}; in this one it has {rows[trial]}. Use another "
                "folder."
            )
    if not records:
        _json_lines.append(folder / NAME, [{"search": search}])


def is_torn_header(content: bytes) -> bool:
    """Says whether a file holds only the beginning of its first line, so no finished trial."""
    begin = b'{"search": "'
    return b"\n" not in content and content[: len(begin)] == begin[: len(content)]


def check_same_search(search: str, rows: Sequence[Row]) -> None:
    """Checks that all processes run the same search.

    Raises:
        ValueError: the arguments of the processes differ.
    """
    own = hashlib.sha256(json.dumps([search, rows]).encode()).digest()
    searches = of_all_processes(np.frombuffer(own, np.uint8))
    others = np.flatnonzero((searches != searches[0]).any(axis=1)).tolist()
    if others:
        raise ValueError(
            "search must have the same key, space, trials, data and rungs in all processes: those "
            f"of the processes {others} differ from those of process 0."
        )


def check_seen(folder: Path) -> None:
    """Checks that all processes see the same folder.

    Raises:
        ValueError: a process does not see a file that process 0 wrote.
    """
    token = of_all_processes(np.frombuffer(secrets.token_bytes(8), np.uint8))[0].tobytes().hex()
    file = folder / f"seen-by-all-{token}"
    on_first_process(file.touch)
    seen = of_all_processes(np.array([file.exists()]))[:, 0]
    on_first_process(file.unlink)
    if not seen.all():
        raise ValueError(
            "folder must be one that all processes see, but the processes "
            f"{np.flatnonzero(~seen).tolist()} do not see what process 0 wrote to "
            f"{os.fspath(folder)!r}."
        )


def digest(key: Key[Array, ""], named: Mapping[str, np.ndarray], shared: PyTree, *rest: Any) -> str:
    """Computes a SHA-256 sum of the arguments that all trials of a search share, except `run`."""
    precision = jnp.zeros(()).dtype  # float64 under jax_enable_x64
    kinds = {name: str(values.dtype) for name, values in named.items()}
    described = (jax.random.key_impl(key), precision, kinds, jax.tree.structure(shared), rest)
    sha256 = hashlib.sha256(without_addresses(repr(described)).encode())
    for leaf in [key, *jax.tree.leaves(shared)]:
        is_key = jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)
        values = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        kind = getattr(leaf, "dtype", values.dtype)  # the dtype of a key names its generator
        sha256.update(f"{kind} {values.shape} ".encode() + values.tobytes())
    return sha256.hexdigest()


def rows_of_columns(named: Mapping[str, np.ndarray]) -> list[Row]:
    """Converts the hyper-parameters of each trial to values that JSON can store."""
    length = len(next(iter(named.values())))
    return [{name: as_json(values[i]) for name, values in named.items()} for i in range(length)]


def check_texts(named: Mapping[str, np.ndarray]) -> None:
    """Checks that different static values have different texts.

    Raises:
        ValueError: two values have the same text, such as two lambda functions.
    """
    for name, values in named.items():
        found: dict[str, Any] = {}
        for value in values if values.dtype == object else ():
            if not found.setdefault(text := as_json(value), value) == value:
                raise ValueError(
                    f"folder must be None if two values of {name!r} have the same text, got {text} "
                    "twice: a resumed search could not distinguish them. Give functions different "
                    "names, and classes a repr."
                )


def as_json(value: object) -> Any:
    """Converts a number to a Python number, and a static value to the same text in each process."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, frozenset | set):
        return f"{type(value).__name__} of {sorted(str(as_json(one)) for one in value)}"
    if isinstance(value, tuple | list) and type(value) in (tuple, list):  # not a named tuple
        return f"{type(value).__name__} of {[as_json(one) for one in value]}"
    if isinstance(value, functools.partial):
        return f"partial of {as_json((value.func, value.args, sorted(value.keywords.items())))}"
    if hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{value.__qualname__}"
    return without_addresses(repr(value))


def without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def equal(one: Row, other: Row) -> bool:
    """Says whether two rows have the same JSON: NaN equals NaN, and 1, 1.0 and True differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
