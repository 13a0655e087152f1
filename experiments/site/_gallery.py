"""The gallery: one card for each record, with its picture, its verdicts and how to run it."""

import dataclasses
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from experiments import catalogue
from experiments.engine._results import read_verdict
from experiments.engine._verdict import Verdict
from experiments.markup import link_target, plain_html
from experiments.site._card import (
    SIGNS,
    alternative_text,
    finding_html,
    folded_html,
    picture_html,
    says_html,
    told_html,
    topic,
)
from experiments.site._edition import Edition, Record
from experiments.site._filter import Marks, form_html, marks_html
from experiments.site._images import picture_of, pictures

SCRIPTS = Path(__file__).parents[1]
NONE = "none"
HEAD = """---
title: Gallery
hide: [toc, navigation]
search:
  exclude: true
---

# Gallery

{count} questions, each answered by one script. Every picture is drawn from the record of its run,
every finding is generated from that record, and a claim has a verdict only by a rule that was fixed
before the run ([how the claims are judged](judging.md)). A picture opens in full size.

"""


def pages(edition: Edition) -> dict[str, str | bytes]:
    """The page, its pictures, and beside it the records and the scripts that made them."""
    files: dict[str, str | bytes] = {"gallery.md": gallery(edition), **pictures(edition)}
    for record in edition.records:
        name = _name(record)
        source = _source(record)
        if source is not None:
            files[f"assets/scripts/{name}.txt"] = source.read_bytes()
        kept = edition.folder / f"{name}.json"
        if kept.is_file():
            files[f"assets/records/{name}.json"] = kept.read_bytes()
    return files


def gallery(edition: Edition) -> str:
    """The page in Markdown; all below its first lines is HTML."""
    marks = [_marks(record) for record in edition.records]
    cards = "\n".join(
        _card(record, edition, mark) for record, mark in zip(edition.records, marks, strict=True)
    )
    form = form_html(marks, SIGNS, noun="cards")
    page = f'<div class="edition">{form}\n<div class="edition-cards">\n{cards}\n</div></div>\n'
    return HEAD.format(count=len(edition.records)) + page


def _card(record: Record, edition: Edition, marks: Marks) -> str:
    name = _name(record)
    verdicts = [read_verdict(row) for row in record["verdicts"]]
    picture = picture_of(record, edition.folder)
    shown = picture_html(picture, alternative_text(record, verdicts)) if picture else ""
    judged = "".join(_verdict(v.subject, _with_own(v, record, edition)) for v in verdicts)
    return (
        f'<article class="edition-card" id="{plain_html(name)}"{marks_html(marks)}>'
        f'<h2><a href="#{_target(name)}">{plain_html(record["question"])}</a></h2>'
        f"{shown}{_figures(record)}{judged}{_run(record, edition)}</article>"
    )


def _with_own(verdict: Verdict, record: Record, edition: Edition) -> Edition:
    """The edition whose verdict of the subject is the card's own, where another record's is shown.

    The false discovery rates are of those that are shown.
    """
    shown, owner = edition.verdicts[verdict.subject]
    if owner is record and shown == verdict:
        return edition
    own = {**edition.verdicts, verdict.subject: (verdict, record)}
    return dataclasses.replace(edition, verdicts=own, q={})


def _verdict(subject: str, edition: Edition) -> str:
    known = {**catalogue.claims(), **catalogue.errata()}
    page = "claims" if subject in catalogue.claims() else "errata"
    id = plain_html(subject)
    link = f'<a href="../{page}/#{id}">{id}</a>' if subject in known else id
    says = says_html(subject) if subject in catalogue.claims() else ""
    return (
        f"<section><h3>{link} {told_html(subject)}</h3>{says}"
        f"{finding_html(subject, edition)}{folded_html(subject, edition)}</section>"
    )


def _figures(record: Record) -> str:
    if not record["figures"]:
        return ""
    rows = []
    for id in map(str, record["figures"]):
        figure = catalogue.figures().get(id)
        link = f'<a href="../figures/#{id}">{id}</a>'
        rows.append(f"{link} {plain_html(figure.shows)}" if figure else plain_html(id))
    return f'<p class="edition-run">The notes\' figures: {"; ".join(rows)}</p>'


def _run(record: Record, edition: Edition) -> str:
    """Seeds, data, preset, device and seconds; the command; what varies; script and record."""
    name = _name(record)
    seeds = record.get("seeds", 1)  # 1 of scripts that have no such number: their tables tell n
    counts = ", ".join(map(str, seeds)) if isinstance(seeds, list) else seeds
    run = (
        *([f"{counts} seeds"] if counts != 1 else []),
        record["data_set"],
        f"preset {record['preset']}",
        record["device"],
        f"{record['wall_seconds']:.0f} s",
    )
    command = f"python -m experiments --only {name}"
    script = f"experiments/{record['script']}.py"
    kept = f"paper_figs/{name}.json"
    return (
        f'<p class="edition-run">{plain_html(" · ".join(run))}</p>'
        f'<p class="edition-command"><code>{plain_html(command)}</code>'
        '<button type="button" data-copy hidden>Copy</button></p>'
        f'<p class="edition-run">{_variant(record)}</p>'
        f'<p class="edition-run">{_link(f"scripts/{name}.txt", script, _source(record))} · '
        f"{_link(f'records/{name}.json', kept, edition.folder / f'{name}.json')}</p>"
    )


def _variant(record: Record) -> str:
    """The names of what a reader can change, and where it is told how."""
    names = ", ".join(f"<code>{plain_html(name)}</code>" for name in record.get("config", ()))
    return f'<a href="../guides/your_own_experiment/">With settings of your own</a>: {names}'


def _link(asset: str, words: str, file: Path | None) -> str:
    """A link to the copy beside the page; only the words if there is no such file."""
    if file is None or not file.is_file():
        return plain_html(words)
    return f'<a href="../assets/{plain_html(quote(asset))}">{plain_html(words)}</a>'


def _marks(record: Record) -> Marks:
    outcomes = [str(row["outcome"]) for row in record["verdicts"]]
    return {
        "verdict": tuple(dict.fromkeys(outcomes)) or (NONE,),
        "topic": (topic(record),),
        "note": tuple(sorted(_notes(record))) or (NONE,),
        "data": (record["data_set"],),
    }


def _notes(record: Record) -> set[str]:
    """The notes that the record's claims, errata and figures stand in: "004:169" is in 004."""
    subjects = [row["subject"] for row in record["verdicts"]]
    places: list[str] = []
    for claim in (catalogue.claims().get(subject) for subject in subjects):
        places += claim.notes if claim else ()
    places += [catalogue.errata()[s].where for s in subjects if s in catalogue.errata()]
    for figure in (catalogue.figures().get(id) for id in record["figures"]):
        places += figure.notes if figure else ()
    return notes_in(places)


def notes_in(places: Iterable[str]) -> set[str]:
    """The numbers of the notes in references such as "004:169, 002:293"."""
    return {note for place in places for note in re.findall(r"\b(\d{3}):", place)}


def _source(record: Record) -> Path | None:
    """The script of a record; None if it is not one of ours, whatever path the record names."""
    return _sources().get(record["script"])


@lru_cache(maxsize=1)
def _sources() -> dict[str, Path]:
    return {f"{path.parent.name}/{path.stem}": path for path in SCRIPTS.glob("*/[!_]*.py")}


def _name(record: Record) -> str:
    return record["script"].split("/")[-1]


def _target(name: str) -> str:
    return plain_html(link_target(name))
