"""The library cites papers, and not the lecture notes that the experiments judge."""

import re
from pathlib import Path

import jaxtricks

PACKAGE = Path(jaxtricks.__file__).parent
CITATION = re.compile(r"\b(S-[A-Z]{3}-\d\d|[CEF]-\d{2,3}|00[0-4]:\d+)|\b[Tt]he notes\b|\b[Nn]otes'")
STILL_CITING = {"data", "models", "probes", "training"}  # rooms to be cleaned; then empty this


def citations():
    """`room: [place: line, ...]` for every room, the top-level modules under their own names."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE)
        lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
        places = [f"{name}:{number}: {line}" for number, line in lines if CITATION.search(line)]
        found.setdefault(name.parts[0], []).extend(places)
    return found


def test_no_file_cites_the_notes():
    places = [p for room, ps in citations().items() if room not in STILL_CITING for p in ps]
    assert not places, (
        "Cite the paper and state the convention; the line of the notes belongs into "
        "experiments/catalogue/systems.json:\n" + "\n".join(places)
    )


def test_the_rooms_that_still_cite_are_no_longer_than_needed():
    clean = {room for room in STILL_CITING if not citations()[room]}
    assert not clean, f"These rooms cite nothing any more: remove them from STILL_CITING: {clean}"


def test_citations_are_recognised():
    for line in (
        "S-OPT-05.",
        "see E-42",
        "note 002:229",
        "(C-020)",
        "the notes use 0.01",
        "notes' p",
    ):
        assert CITATION.search(line), line
    for line in ("1e-05", "R-1", "2018, section 3.2", "notes", "12:30"):
        assert not CITATION.search(line), line
