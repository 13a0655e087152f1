"""The figures of the notes: what each must show, and the picture that a run drew of it again."""

from experiments import catalogue
from experiments.catalogue import Figure
from experiments.markup import plain_html
from experiments.site._edition import Edition, Record
from experiments.site._own_text import card_address, own_html, tally, terms

INTRODUCTION = """# Figures

The five lecture notes show these pictures, and the experiments draw them again from runs of their
own instead of copying them. Beside each picture stands what must hold for it to say what the old
one said, and the data and the machine that it was drawn with; the picture leads to its card in the
gallery."""


def pages(edition: Edition) -> dict[str, str]:
    """The page of the figures: those that were drawn, then those that were not."""
    owners = {figure: record for record in edition.records for figure in record["figures"]}
    figures = catalogue.figures().values()
    drawn = [drawn_entry(figure, owners[figure.id]) for figure in figures if figure.id in owners]
    missing = [missing_entry(figure) for figure in figures if figure.id not in owners]
    states = ["drawn" if figure.id in owners else "not yet drawn" for figure in figures]
    parts = [INTRODUCTION, f"**{len(figures)} figures:** {tally(states)}."]
    for title, entries in {"Drawn": drawn, "Not yet drawn": missing}.items():
        if entries:
            parts += [f"## {title}", *entries]
    return {"figures.md": "\n\n".join(parts) + "\n"}


def drawn_entry(figure: Figure, record: Record) -> str:
    """A figure with the picture that the record drew."""
    question, script = plain_html(record["question"]), record["script"]
    run = (record["data_set"], f"{record['preset']} preset", record["device"])
    words = " · ".join(plain_html(word) for word in (*run, f"{record['wall_seconds']:.3g} s"))
    rows = [*about(figure), ("run", words)]
    link = f'<p><a href="{card_address(script)}">{question}</a></p>'
    return entry(figure, f"{terms(rows)}\n{link}", "drawn")


def missing_entry(figure: Figure) -> str:
    """A figure that no record draws, with the plan for it."""
    plan = f"{own_html(figure.experiment)} ({own_html(figure.compute)})"
    return entry(figure, terms([*about(figure), ("not yet drawn; planned", plan)]), "not yet drawn")


def about(figure: Figure) -> list[tuple[str, str]]:
    """Where the notes show it, and what must hold."""
    return [("notes", ", ".join(figure.notes)), ("must hold", own_html(figure.right_if))]


def entry(figure: Figure, body: str, state: str) -> str:
    """One figure, with the anchor that other pages link to."""
    notes = " ".join(sorted({note[:3] for note in figure.notes}))
    return (
        f'<article class="tables-entry" data-note="{notes}" data-outcome="{state}">\n'
        f'<h3 id="{figure.id}">{figure.id} <span>{own_html(figure.shows)}</span></h3>\n'
        f"{body}\n</article>"
    )
