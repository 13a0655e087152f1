"""The description of a checkpoint, `meta.json`, which is checked before it is used."""

from typing import Any

from jaxtricks.training.checkpoint._manifest import DamagedCheckpoint

META = "meta.json"
FORMAT = 1


def check_meta(name: str, meta: Any) -> dict[str, Any]:
    """Checks the type of each entry of a description, and returns the description.

    Raises:
        DamagedCheckpoint: an entry is missing or has another type, or the format is another one.
    """
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DamagedCheckpoint(f"{name} does not have format {FORMAT}")
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
            raise DamagedCheckpoint(f"{name} has no entry {entry} of the type that `save` writes")
    return meta


def is_leaf(leaf: Any) -> bool:
    """Says whether a value is a leaf's description as `describe` writes it."""
    if not isinstance(leaf, dict) or not isinstance(leaf.get("shape"), list):
        return False
    names = [leaf.get("path"), leaf.get("dtype"), leaf.get("key", "")]
    return (
        all(isinstance(text, str) for text in names)
        and all(map(is_count, leaf["shape"]))
        and isinstance(leaf.get("weak", False), bool)
    )


def is_count(value: Any) -> bool:
    """Says whether a value is an integer of at least 0."""
    return type(value) is int and value >= 0
