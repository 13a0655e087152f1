"""The page of conventions: `docs/conventions.md` with links, and the presets."""

import json
import re
from pathlib import Path
from types import ModuleType

from experiments.markup import table
from experiments.site import _api
from experiments.site._edition import Edition

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras"}
NAME = re.compile(r"(?<!\[)`(?:(\w+)\.)?(\w+)`")
ADDRESS = re.compile(
    r"\[(?:Keras's )?`(\w+)`\]\((https://(?:docs\.pytorch\.org|keras\.io)/[^)]+)\)"
)
ERRATUM = re.compile(r"\bE-\d\d\b")


def pages(edition: Edition) -> dict[str, str]:
    """`conventions.md`."""
    del edition
    text = (ROOT / "docs/conventions.md").read_text()
    text = ERRATUM.sub(r"[\g<0>](errata.md#\g<0>)", text)
    lines = [linked_row(line) if line.startswith("| ") else line for line in text.splitlines()]
    for room in FRAMEWORKS:
        lines += ["", *_presets(room)]
    return {"conventions.md": "\n".join(lines) + "\n"}


def linked_row(row: str) -> str:
    """A row of tricks whose second cell's names are links; one without a room is of the last."""
    rooms, room = _api.rooms(), ""

    def link(found: re.Match[str]) -> str:
        nonlocal room
        room = found[1] or room
        if room not in rooms or found[2] not in _api.public_names(rooms[room]):
            return found[0]
        return f"[{found[0]}](api/{room}.md#jaxtricks.{room}.{found[2]})"

    _, trick, names, rest = row.split("|", 3)
    return "|".join(("", trick, NAME.sub(link, names), rest))


def _presets(framework: str) -> list[str]:
    """The presets of a framework, each with the framework's name and defaults."""
    room = _api.rooms()[f"presets.{framework}"]
    title = FRAMEWORKS[framework]
    versions = json.loads((ROOT / f"tests/golden/{framework}.json").read_text())["versions"]
    about = f"Names and defaults are {title}'s; compared with its version {versions[framework]}."
    head = (title, "here", "arguments")
    return [f"## Presets of {title}", "", about, "", *table(head, map(_row, _named(room)))]


def _named(room: ModuleType) -> list[tuple[str, str, object]]:
    return [(room.__name__, name, getattr(room, name)) for name in _api.public_names(room)]


def _row(preset: tuple[str, str, object]) -> tuple[str, ...]:
    room, name, function = preset
    found = ADDRESS.search(function.__doc__ or "")
    theirs = f"[`{found[1]}`]({found[2]})" if found else ""
    below = room.removeprefix("jaxtricks.")
    here = f"[`{below}.{name}`](api/{below}.md#{room}.{name})"
    return theirs, here, f"`{_api.signature(function)[1:-1]}`"
