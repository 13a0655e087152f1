"""Which settings a checkpoint was made with."""

import json
from collections.abc import Mapping

from jaxtricks._checks import check_instance


def as_json(configuration: Mapping | None) -> dict | None:
    """What JSON makes of a configuration: tuples become lists, keys become strings.

    Raises:
        TypeError: JSON has no such value.
    """
    if configuration is None:
        return None
    check_instance("configuration", configuration, Mapping)
    try:
        return json.loads(json.dumps(dict(configuration)))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"configuration must be JSON, with NumPy's numbers as float(x) or int(x): {error}."
        ) from error


def check_same_configuration(saved: dict | None, now: dict) -> None:
    """Checks that every key has the value it had.

    Raises:
        ValueError: one differs; the message names each with both values.

    Example:
        >>> check_same_configuration({"model": {"width": 64}}, {"model": {"width": 128}})
        Traceback (most recent call last):
        ValueError: configuration differs from the checkpoint's: model.width: saved 64, now 128.
    """
    old, new = flatten(saved or {}), flatten(now)
    lines = [
        f"{key}: saved {old.get(key, 'nothing')}, now {new.get(key, 'nothing')}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    ]
    if lines:
        raise ValueError(f"configuration differs from the checkpoint's: {'; '.join(lines)}.")


def flatten(tree: dict, prefix: str = "") -> dict[str, str]:
    """Dotted keys and the values as JSON writes them, so that NaN equals NaN."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
