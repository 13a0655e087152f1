"""What a row of any of the tables makes."""

from collections.abc import Mapping
from typing import Any


def first_values(row: Any) -> Mapping[str, float]:
    """The first value of each float hyper-parameter."""
    return {name: values[0] for name, values in row.hyper.items()}


def build(row: Any, **changes: object) -> Any:
    """What the row makes of its first values but for `changes`."""
    return row.make(**{**row.static, **first_values(row), **changes})
