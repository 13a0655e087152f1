"""The figures of the notes: what each must show, and the picture that a run drew of it again."""

from pathlib import Path

from experiments import catalogue
from experiments.catalogue import Figure
from experiments.markup import link_target, plain_html
from experiments.site._edition import Edition, Record
from experiments.site._entries import card_address, form, own_html, section, tally, terms
from experiments.site._filter import Marks, marks_html
from experiments.site._images import FOLDER, WIDTHS, picture_of

INTRODUCTION = """# Figures

The five lecture notes show these pictures, and the experiments draw them again from runs of their
own instead of copying them. Beside each picture stands what must hold for it to say what the old
one said, and the data and the machine that it was drawn with; the picture leads to its card in the
gallery."""
DRAWN, NOT_YET = "drawn", "not yet drawn"


def pages(edition: Edition) -> dict[str, str]:
    """The page of the figures: those that were drawn, then those that were not."""
    owners = {figure: record for record in edition.records for figure in record["figures"]}
    figures = catalogue.figures().values()
    drawn = [
        drawn_entry(figure, owners[figure.id], edition.folder)
        for figure in figures
        if figure.id in owners
    ]
    missing = [missing_entry(figure) for figure in figures if figure.id not in owners]
    states = {figure: DRAWN if figure.id in owners else NOT_YET for figure in figures}
    narrowing = form((marks(*item) for item in states.items()), noun="figures")
    parts = [
        INTRODUCTION,
        f"**{len(figures)} figures:** {tally(states.values())}.",
        narrowing,
    ]
    for title, entries in {"Drawn": drawn, "Not yet drawn": missing}.items():
        parts += [section(title, entries)] if entries else []
    return {"figures.md": "\n\n".join(parts) + "\n"}


def drawn_entry(figure: Figure, record: Record, folder: Path) -> str:
    """A figure with the picture that the record drew."""
    run = (record["data_set"], f"{record['preset']} preset", record["device"])
    words = " · ".join(plain_html(word) for word in (*run, f"{record['wall_seconds']} s"))
    rows = [*about(figure), ("run", words)]
    return entry(figure, DRAWN, f"{thumbnail(figure, record, folder)}\n{terms(rows)}")


def thumbnail(figure: Figure, record: Record, folder: Path) -> str:
    """The picture in its smallest size above its question, as one link to the card."""
    picture, image = picture_of(record, folder), ""
    if picture:
        width = min(WIDTHS)
        image = (
            f'<img src="../{FOLDER}/{link_target(picture.name)}-{width}.webp" loading="lazy" '
            f'width="{width}" height="{picture.height * width // picture.width}" '
            f'alt="{plain_html(figure.shows)}">'
        )
    question = plain_html(record["question"])
    return (
        f'<a class="tables-picture" href="{card_address(record["script"])}">{image}{question}</a>'
    )


def missing_entry(figure: Figure) -> str:
    """A figure that no record draws, with the plan for it."""
    plan = f"{NOT_YET}; planned: {own_html(figure.experiment)} ({own_html(figure.compute)})"
    return entry(figure, NOT_YET, terms([*about(figure), ("run", plan)]))


def about(figure: Figure) -> list[tuple[str, str]]:
    """Where the notes show it, and what must hold."""
    return [("notes", ", ".join(figure.notes)), ("must hold", own_html(figure.right_if))]


def marks(figure: Figure, state: str) -> Marks:
    """What the form finds a figure by."""
    return {"note": tuple(dict.fromkeys(note[:3] for note in figure.notes)), "state": (state,)}


def entry(figure: Figure, state: str, body: str) -> str:
    """One figure, with the anchor that other pages link to."""
    return (
        f'<article class="tables-entry tables-figure"{marks_html(marks(figure, state))}>\n'
        f'<h3 id="{figure.id}">{figure.id} <span>{own_html(figure.shows)}</span></h3>\n'
        f"{body}\n</article>"
    )
