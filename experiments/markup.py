"""Strings of records as plain text in Markdown and HTML: whatever they hold, they are only shown.

A record may come from another machine or another person. Text of our own, such as the catalogue's,
is Markdown and is not escaped.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode's categories
ENTITIES = {"<": "&lt;", "&": "&amp;", "|": "&#124;"}  # a pipe ends a cell even in code
MEANT = re.compile(
    r"[\\`*~$@<&|]"  # emphasis, code, formulas, tags, entities, cells
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis again; inside a word an underscore has no meaning
    r"|\](?=[(\[:])|\[(?=\^)"  # links and footnotes
    r"|(?<=:)/(?=/)|(?<=www)\.",  # addresses that become links by themselves
    re.IGNORECASE,
)
OWN_TEXT = str.maketrans({"|": "\\|", "\n": " "})


class Escaped(str):
    """Text that may stand in a page as it is, within a printed list or dict too.

    The usual `repr` would double its backslashes, so that they escaped nothing any more.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def printable(value: object) -> str:
    """The text without control characters, which move cursors and reverse the direction.

    White space becomes a space, others the replacement character.
    """

    def shown(character: str) -> str:
        if unicodedata.category(character) not in UNPRINTABLE:
            return character
        return " " if character.isspace() else "\ufffd"

    return "".join(map(shown, str(value)))


def plain_markdown(value: object) -> Escaped:
    """The text as Markdown, also for a cell of a table, that renders as this very text."""

    def escaped(found: re.Match[str]) -> str:
        return ENTITIES.get(found[0], f"\\{found[0]}")

    return Escaped(MEANT.sub(escaped, printable(value)))


def plain_html(value: object) -> Escaped:
    """The text as HTML, also for an attribute in quotes."""
    return Escaped(html.escape(printable(value)))


def link_target(name: str) -> str:
    """A relative link to a file of that name in the same folder."""
    return quote(name, safe="", errors="replace")


def map_strings(escape: Callable[[object], Escaped], tree: Any) -> Any:
    """A tree of dicts and lists with every string escaped, keys too."""
    if isinstance(tree, dict):
        return {escape(key): map_strings(escape, value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [map_strings(escape, value) for value in tree]
    return escape(tree) if isinstance(tree, str) else tree


def table(
    head: Iterable[str], rows: Iterable[Iterable[object]], *, numbers: bool = False
) -> list[str]:
    """The lines of a table; with `numbers` all but the first column are aligned to the right."""
    head = list(head)
    rule = ["---", *(["---:"] if numbers else ["---"]) * (len(head) - 1)]
    return [
        "| " + " | ".join(str(cell).translate(OWN_TEXT) for cell in line) + " |"
        for line in (head, rule, *rows)
    ]
