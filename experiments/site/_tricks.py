"""The tricks of the notes, and the functions that answer each."""

from experiments import catalogue
from experiments.catalogue import System
from experiments.markup import plain_html
from experiments.site._edition import Edition
from experiments.site._entries import form, own_html, section
from experiments.site._filter import Marks, marks_html

UPSTREAM = ("jax", "flax", "optax")
SOURCES = ("this library", "JAX, Flax or Optax", "none")
INTRODUCTION = """# Tricks

These are the tricks, interfaces and traps of the five lecture notes, each with the functions that
do it today. A name of this library leads to its page with formula, example and paper; names that
begin with `jax`, `flax` or `optax` are those libraries' own."""


def pages(edition: Edition) -> dict[str, str]:
    """The page of the tricks, by group."""
    del edition  # a trick is answered by a function, not by a measurement
    systems = catalogue.systems().values()
    groups: dict[str, list[System]] = {}
    for system in systems:
        groups.setdefault(system.group, []).append(system)
    narrowing = form(map(marks, systems), SOURCES, noun="tricks")
    parts = [INTRODUCTION, summary(list(systems)), narrowing]
    for group, members in groups.items():
        entries = ('<ul class="tables-tricks">', *map(entry, members), "</ul>")
        parts += [section(group, entries)]
    return {"tricks.md": "\n\n".join(parts) + "\n"}


def summary(systems: list[System]) -> str:
    """How many tricks are answered, and by how many functions of this library."""
    answers = [system.where for system in systems if system.where is not None]
    names = {name for names in answers for name in names}
    ours = [name for name in names if not is_upstream(name)]
    return (
        f"**{len(systems)} tricks:** {len(answers)} have an answer, in {len(ours)} names of this "
        f"library and {len(names) - len(ours)} of JAX, Flax and optax; "
        f"{len(systems) - len(answers)} have none, each with the reason."
    )


def marks(system: System) -> Marks:
    """What the form finds a trick by."""
    sources = tuple(SOURCES[is_upstream(name)] for name in system.where or ())
    return {
        "topic": (system.group,),
        "note": tuple(dict.fromkeys(note[:3] for note in system.notes)),
        "answer": tuple(dict.fromkeys(sources)) or SOURCES[2:],
    }


def entry(system: System) -> str:
    """One trick, with the anchor that other pages link to."""
    notes = f" <small>{', '.join(system.notes)}</small>" if system.notes else ""
    answers = ", ".join(map(answer, system.where or ())) or f"none: {own_html(system.reason or '')}"
    head = f'<li id="{system.id}"{marks_html(marks(system))}><b>{system.id}</b>'
    return f"{head} {own_html(system.name)}{notes}<br>{answers}</li>"


def answer(name: str) -> str:
    """A name in code; one of this library is a link to its entry of the API pages."""
    code = f"<code>{plain_html(name)}</code>"
    if is_upstream(name):
        return code
    room = name.rpartition(".")[0]
    return f'<a href="../api/{room}/#jaxtricks.{name}">{code}</a>'


def is_upstream(name: str) -> bool:
    """Whether the name belongs to a library that this one stands on."""
    return name.split(".")[0] in UPSTREAM
