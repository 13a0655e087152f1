"""A form that narrows a page's items; without JavaScript it is hidden and everything is shown."""

import json
from collections import Counter
from collections.abc import Iterable

from experiments.markup import plain_html, printable

Marks = dict[str, tuple[str, ...]]  # what an item answers to, by the name of the control
LABELS = {"verdict": "Verdict", "topic": "Topic", "note": "Note", "data": "Data set"}


def marks_html(marks: Marks) -> str:
    """The attributes by which `gallery.js` finds an item: JSON, as a value may hold any character.

    They are the values of the form's options, so what cannot be printed is replaced in both.
    """
    told = {name: json.dumps([*map(printable, values)]) for name, values in marks.items()}
    return " data-item" + "".join(f' data-{n}="{plain_html(text)}"' for n, text in told.items())


def form_html(items: Iterable[Marks], order: Iterable[str] = (), *, noun: str) -> str:
    """One control for each mark, with how many items answer to each value, and a text search.

    Args:
        items: the marks of every item; all have the same names.
        order: values that come first, in this order; others follow by the alphabet.
        noun: what the items are, such as "cards".
    """
    items, order = list(items), list(order)
    rank = {value: place for place, value in enumerate(order)}
    controls = ""
    for name in items[0] if items else ():
        counts = Counter(value for marks in items for value in dict.fromkeys(marks[name]))
        values = sorted(counts, key=lambda value: (rank.get(value, len(rank)), value))
        options = "".join(
            f'<option value="{value}">{value} ({count} {noun})</option>'
            for value, count in ((plain_html(value), counts[value]) for value in values)
        )
        label = LABELS.get(name, name.capitalize())
        controls += (
            f'<label>{label} <select name="{name}"><option value="">all</option>'
            f"{options}</select></label>"
        )
    return (
        f'<form class="edition-filter" data-filter="{noun}" aria-label="Filter the {noun}" hidden>'
        f'<label>Words <input type="search" name="words" autocomplete="off"></label>{controls}'
        f'<button type="reset">Show all</button><output aria-live="polite">'
        f"{len(items)} of {len(items)} {noun}</output></form>"
    )
