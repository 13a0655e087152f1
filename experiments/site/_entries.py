"""What the pages of the errata, figures and tricks are put together from."""

import re
from collections import Counter
from collections.abc import Iterable

from experiments.markup import link_target, plain_html
from experiments.site._filter import Marks, form_html

PAGES = {"C": "claims", "E": "errata", "F": "figures", "S": "tricks"}
CODE = re.compile(r"`([^`]+)`")
ENTRY = re.compile(r"\b(?:C-\d{3}|E-\d{2,3}|F-\d{3}|S-[A-Z]{3}-\d{2})\b")
CHINESE = re.compile("[\u3400-\u9fff](?:[A-Za-z0-9]*[\u3400-\u9fff])*")


def own_html(text: str) -> str:
    """Text of the catalogue as HTML that may stand in a page of the site.

    Example:
        >>> own_html("`a<b` as in E-05")
        '<code>a&lt;b</code> as in <a href="../errata/#E-05">E-05</a>'
        >>> own_html("负梯度 (OCR)")
        '<span lang="zh">负梯度</span> (OCR)'
    """
    shown = CODE.sub(r"<code>\1</code>", plain_html(text))
    shown = ENTRY.sub(lambda found: entry_link(found[0]), shown)
    return CHINESE.sub(lambda found: f'<span lang="zh">{found[0]}</span>', shown)


def entry_link(entry: str) -> str:
    """A link to a claim, an erratum, a figure or a trick."""
    return f'<a href="../{PAGES[entry[0]]}/#{entry}">{entry}</a>'


def card_address(script: str) -> str:
    """The address of a script's card in the gallery, for an attribute in quotes."""
    return f"../gallery/#{link_target(script.split('/')[-1])}"


def terms(rows: Iterable[tuple[str, str]]) -> str:
    """A list of short titles, each with HTML that belongs to it; those without any are left out."""
    shown = "".join(f"<div><dt>{title}</dt><dd>{text}</dd></div>" for title, text in rows if text)
    return f"<dl>{shown}</dl>"


def tally(names: Iterable[str]) -> str:
    """How often each name occurs: "confirmed 3, refuted 1"; the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in Counter(names).most_common())


def form(items: Iterable[Marks], order: Iterable[str] = (), *, noun: str) -> str:
    """The form that narrows the page, apart from its entries, which Markdown's headings divide."""
    return f'<div class="edition">{form_html(items, order, noun=noun)}</div>'


def section(title: str, entries: Iterable[str]) -> str:
    """A heading of the page with its entries; a filter that hides them all hides it too."""
    return "\n".join(
        (f"## {title}\n", '<section class="edition" data-group>', *entries, "</section>")
    )
