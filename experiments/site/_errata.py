"""The page that slides can be corrected from: every erratum of the notes, line by line."""

import re
from collections import Counter

from experiments import catalogue
from experiments.catalogue import Erratum
from experiments.engine._sentences import gate_sentence, part_sentence, sensitivity_sentence
from experiments.engine._verdict import Verdict
from experiments.markup import plain_html
from experiments.site._card import chip
from experiments.site._edition import Edition
from experiments.site._entries import card_address, form, own_html, section, tally, terms
from experiments.site._filter import Marks, marks_html

CLASSES = {
    "A": "A: changes results if taken literally",
    "B": "B: clash of conventions",
    "C": "C: overstated or wrong explanation",
    "D": "D: misprint",
}
PLACE = re.compile(r"(\d{3}):(\d+)")
NOTES = ("000", "001", "002", "003", "004")
EVERYWHERE = "In all notes"
NOT_YET = "not yet measured"
NO_EXPERIMENT = "a misprint (no experiment needed)"

INTRODUCTION = """# Errata

These are the places where the five lecture notes are wrong, contradict one another, overstate or
misprint, in the order of the notes and their lines, so that slides can be corrected from top to
bottom. Each says what is printed and what is right, and, where an experiment was run, what that
experiment measured."""

LEGEND = """An erratum is *confirmed* when the printed form goes wrong and the right one does not;
*refuted* means that the correction itself did not hold. A *convention* is no error: the number says
what the choice changes. *Expected* sizes were written before any run and are not measurements."""


def pages(edition: Edition) -> dict[str, str]:
    """The page of the errata."""
    groups: dict[str, list[Erratum]] = {note: [] for note in (*NOTES, EVERYWHERE)}
    for erratum in sorted(catalogue.errata().values(), key=place):
        groups[place(erratum)[0]].append(erratum)
    items = [marks(erratum, edition) for erratum in catalogue.errata().values()]
    narrowing = form(items, CLASSES.values(), noun="errata")
    parts = [INTRODUCTION, *summary(edition), LEGEND, narrowing]
    for note, errata in groups.items():
        title = note if note == EVERYWHERE else f"Note {note}"
        parts += [section(title, (also(note, errata), *(entry(e, edition) for e in errata)))]
    return {"errata.md": "\n\n".join(parts) + "\n"}


def marks(erratum: Erratum, edition: Edition) -> Marks:
    """What the form finds an erratum by."""
    return {
        "class": (CLASSES[erratum.kind],),
        "note": touched(erratum),
        "outcome": (outcome(erratum, edition),),
    }


def outcome(erratum: Erratum, edition: Edition) -> str:
    """The verdict's outcome, or that there is no verdict."""
    if erratum.id in edition.verdicts:
        return edition.verdicts[erratum.id][0].outcome
    return unmeasured(erratum)


def place(erratum: Erratum) -> tuple[str, int, str]:
    """Note and line that the erratum names first; what is in all notes comes last."""
    found = PLACE.search(erratum.where)
    return (found[1], int(found[2]), erratum.id) if found else (EVERYWHERE, 0, erratum.id)


def touched(erratum: Erratum) -> tuple[str, ...]:
    """The notes that have a line of the erratum."""
    return tuple(sorted({note for note, _ in PLACE.findall(erratum.where)})) or NOTES


def also(note: str, errata: list[Erratum]) -> str:
    """Links to the errata that stand under another note and have a line of this one too."""
    others = [
        f'<a href="#{erratum.id}">{erratum.id}</a>'
        for erratum in catalogue.errata().values()
        if erratum not in errata and note in touched(erratum)
    ]
    words = "Under another note, with a line of this one too"
    return f'<p class="tables-also">{words}: {", ".join(others)}.</p>' if others else ""


def summary(edition: Edition) -> list[str]:
    """How many errata there are of each class, and how many were measured with what outcome."""
    errata = catalogue.errata().values()
    counts = Counter(erratum.kind for erratum in errata)
    kinds = "\n".join(f"- {words}: {counts[kind]}" for kind, words in CLASSES.items())
    outcomes = tally(outcome(erratum, edition) for erratum in errata)
    return [f"**{len(errata)} errata**, by class:", kinds, f"**By outcome:** {outcomes}."]


def entry(erratum: Erratum, edition: Edition) -> str:
    """One erratum, with the anchor that other pages link to."""
    measured = erratum.id in edition.verdicts
    rows = [
        ("printed", own_html(erratum.printed)),
        ("right", own_html(erratum.right)),
        ("measured" if measured else "evidence", evidence(erratum, edition)),
    ]
    return (
        f'<article class="tables-entry"{marks_html(marks(erratum, edition))}>\n'
        f'<h3 id="{erratum.id}">{erratum.id} <span>{own_html(erratum.where)}</span></h3>\n'
        f"<p>{CLASSES[erratum.kind]}</p>\n{terms(rows)}\n</article>"
    )


def evidence(erratum: Erratum, edition: Edition) -> str:
    """What the record says of the erratum, or that there is none and why."""
    if erratum.id not in edition.verdicts:
        words = unmeasured(erratum)
        expected = own_html(erratum.size or "")
        return f"{words} (<i>expected:</i> {expected})" if expected else words
    verdict, record = edition.verdicts[erratum.id]
    link = f'<a href="{card_address(record["script"])}">{plain_html(record["question"])}</a>'
    return f"{measurement(verdict)}<p>{link}</p>"


def unmeasured(erratum: Erratum) -> str:
    """A misprint needs no experiment unless the catalogue names one."""
    return NO_EXPERIMENT if erratum.kind == "D" and not erratum.size else NOT_YET


def measurement(verdict: Verdict) -> str:
    """The outcome, a line a part, the controls, the scope; what was measured besides is folded."""
    about = f"{chip(verdict.outcome)} {plain_html(sensitivity_sentence(verdict))}"
    lines = [*map(part_sentence, verdict.parts), *map(gate_sentence, verdict.gates)]
    lines += [] if verdict.parts else verdict.beside
    lines += [verdict.reason] if verdict.reason else []
    folded = verdict.beside if verdict.parts else ()
    shown = f"<p>{about}</p>{items(lines)}"
    if folded:
        inside = f"<summary>Measured besides</summary>{items(folded)}"
        shown += f'<details class="edition-fold">{inside}</details>'
    return shown + (f"<p>Scope: {plain_html(verdict.scope)}</p>" if verdict.scope else "")


def items(lines: list[str] | tuple[str, ...]) -> str:
    """Lines of a record as a list."""
    return f"<ul>{''.join(f'<li>{plain_html(line)}</li>' for line in lines)}</ul>"
