"""What people pass by mistake, and which of it an annotation may mean."""

import datetime
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import TypeAliasType

VALUES: dict[str, Any] = {
    "none": None,
    "text": "nonsense",
    "number as text": "0.1",
    "integer": 5,
    "negative integer": -3,
    "fraction": 1.5,
    "flag": True,
    "device flag": jnp.array(True),
    "complex": 1j,
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "huge integer": 10**400,
    "minus huge integer": -(10**400),
    "date": datetime.datetime(2020, 1, 1),
    "object": object(),
    "function": len,
    "array": np.ones(2, np.float32),
    "device array": jnp.ones(2),
    "array of text": np.array(["a", "b"]),
    "array of objects": np.array([None, 1], object),
    "array of float0": np.zeros(2, jax.dtypes.float0),
    "array of dates": np.zeros(2, "datetime64[s]"),
    "list": [0.1, 0.2],
    "list of text": ["a", "b"],
    "empty list": [],
    "dict": {},
    "dict of text": {"entry": "b"},
    "dict of functions": {"entry": len},
    "keys": jax.random.split(jax.random.key(0)),
    "class": int,
}
NUMBERS = {"integer", "negative integer", "fraction"}
ARRAYS = {"array", "device array"}
DATA = {*NUMBERS, *ARRAYS, "list", "empty list", "nan", "infinity", "minus infinity"}
MEANT: dict[str, set[str]] = {
    "scalar": NUMBERS,
    "int": {"integer", "negative integer"},
    "bool": {"flag"},
    "literal": set(),
    "none": {"none"},
    "str": {"text", "number as text"},
    "path": {"text", "number as text"},
    "dtype": {"class"},
    "key": set(),
    "sequence": {"list", "list of text", "empty list"},
    "mapping": {"dict", "dict of text", "dict of functions"},
    "function": {"function", "class"},
    "array": DATA,
    "tree": {*DATA, "none", "dict", "flag", "device flag"},
    "instance": set(),
    "any": set(VALUES),
}
NAMED = {
    "ScalarLike": {"scalar"},
    "ArrayLike": {"scalar", "array"},
    "DTypeLike": {"dtype"},
    "Mask": {"tree", "function"},
    "Layers": {"function", "sequence"},
}


def kinds(annotation: Any) -> set[str]:
    """The names in `MEANT` of all that an annotation allows."""
    if isinstance(annotation, TypeAliasType):
        return NAMED.get(annotation.__name__) or kinds(annotation.__value__)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return set().union(*(kinds(part) for part in typing.get_args(annotation)))
    text = getattr(annotation, "__name__", str(annotation))
    if annotation in (None, type(None)):
        return {"none"}
    if getattr(annotation, "_is_protocol", False) and "__call__" in vars(annotation):
        return {"function"}
    if annotation is Any or annotation is object:
        return {"any"}
    if origin is typing.Literal:
        return {"literal"}
    if origin in (tuple, list, Sequence, Collection):
        return {"sequence"}
    if origin in (dict, Mapping) or annotation is Mapping:
        return {"mapping"}
    if origin is Callable:
        return {"function"}
    if text in ("PathLike", "os.PathLike") or origin is not None and "PathLike" in str(origin):
        return {"path"}
    if annotation in (int, bool, str):
        return {annotation.__name__}
    if annotation in (float,):
        return {"scalar"}
    if "PyTree" in str(annotation):
        return {"tree"}
    if re.match(r".*Key\[", str(annotation)):
        return {"key"}
    if annotation is np.ndarray or annotation is jax.Array or "[" in text:
        return {"array"}
    return {"instance"}
