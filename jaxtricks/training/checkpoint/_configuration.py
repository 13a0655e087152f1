"""The settings with which a checkpoint was made, and their comparison."""

import json
from collections.abc import Mapping

from jaxtricks._checks import check_instance


def as_json(configuration: Mapping | None) -> dict | None:
    """Converts a configuration as JSON does: tuples become lists, keys become strings.

    Raises:
        TypeError: `configuration` is not a mapping, or JSON cannot represent a value.
    """
    if configuration is None:
        return None
    check_instance("configuration", configuration, Mapping)
    try:
        return json.loads(json.dumps(dict(configuration)))
    except (TypeError, ValueError) as error:
        raise TypeError(
            "configuration must hold what JSON can represent (write NumPy numbers as float(x) or "
            f"int(x)): {error}."
        ) from error


def check_same_configuration(saved: dict | None, now: dict) -> None:
    """Checks that two configurations have the same keys and values.

    Raises:
        ValueError: they differ; the message names each key with both values.

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
    """Flattens nested dicts to dotted keys; values become JSON texts, so that NaN equals NaN."""
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
