"""The library cites papers, and not the lecture notes that the experiments judge."""

import re
from pathlib import Path

import jaxtricks

PACKAGE = Path(jaxtricks.__file__).parent
CITATION = re.compile(r"\b(S-[A-Z]{3}-\d\d|[CEF]-\d{2,3}|00[0-4]:\d+)|\b[Tt]he notes\b|\b[Nn]otes'")


def citations():
    """The lines that cite, with their places."""
    return [
        f"{path.relative_to(PACKAGE)}:{number}: {line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if CITATION.search(line)
    ]


def test_no_file_cites_the_notes():
    places = citations()
    assert not places, (
        "Cite the paper and state the convention; the line of the notes belongs into "
        "experiments/catalogue/systems.json:\n" + "\n".join(places)
    )


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
