"""The description of a checkpoint, `meta.json`, proved to be one before it is used."""

from typing import Any

from jaxtricks.training.checkpoint._manifest import DamagedCheckpoint

META = "meta.json"
FORMAT = 1


def check_meta(name: str, meta: Any) -> dict[str, Any]:
    """Gives a description back if each entry is of its type.

    Raises:
        DamagedCheckpoint: one is missing or of another type, or the format is another one.
    """
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DamagedCheckpoint(f"{name} is not of format {FORMAT}")
    listed = isinstance(meta.get("tree"), list) and all(map(is_leaf, meta["tree"]))
    entries = {
        "step": is_count(meta.get("step")),
        "sequence": is_count(meta.get("sequence")),
        "metric": meta.get("metric", 0) is None or type(meta.get("metric")) is float,
        "mode": meta.get("mode") in ("min", "max"),
        "configuration": isinstance(meta.get("configuration", 0), dict | None),
        "tree": listed and len({leaf["path"] for leaf in meta["tree"]}) == len(meta["tree"]) > 0,
    }
    for entry, right in entries.items():
        if not right:
            raise DamagedCheckpoint(f"{name} has no {entry} as `save` writes it")
    return meta


def is_leaf(leaf: Any) -> bool:
    """Whether this is what `describe` says of a leaf."""
    if not isinstance(leaf, dict) or not isinstance(leaf.get("shape"), list):
        return False
    names = [leaf.get("path"), leaf.get("dtype"), leaf.get("key", "")]
    return (
        all(isinstance(text, str) for text in names)
        and all(map(is_count, leaf["shape"]))
        and isinstance(leaf.get("weak", False), bool)
    )


def is_count(value: Any) -> bool:
    """Whether this is a whole number from 0."""
    return type(value) is int and value >= 0
