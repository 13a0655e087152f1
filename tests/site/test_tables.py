"""The pages of errata, figures and tricks: complete, true to the records, and text stays text."""

import html.parser
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

from experiments import catalogue
from experiments.engine._results import read_verdict
from experiments.markup import printable
from experiments.site import _errata, _figures, _tricks
from experiments.site._edition import Edition
from experiments.site._entries import own_html
from tests.experiments.test_markup import HOSTILE, hostile_record

markdown = pytest.importorskip(
    "markdown", reason="the pages are Markdown: pip install '.[docs]'"
).markdown

EXTENSIONS = ["attr_list", "md_in_html", "toc"]
MEASURABLE_MISPRINTS = {"E-126", "E-127", "E-131"}  # of the others nothing can be measured
HARMLESS = "a word"


def edition_of(*records, folder=Path()):
    verdicts = {
        verdict.subject: (verdict, record)
        for record in records
        for verdict in map(read_verdict, record["verdicts"])
    }
    return Edition(records, verdicts, {}, folder)


def rendered(module, edition):
    (text,) = module.pages(edition).values()
    return markdown(text, extensions=EXTENSIONS)


@cache
def unmeasured_page(module):
    return rendered(module, edition_of())


def record_of(text, *, subject="E-05", figures=("F-001",)):
    record = hostile_record(text)
    record["verdicts"][0]["subject"] = subject
    return record | {"figures": list(figures)}


class Reader(html.parser.HTMLParser):
    """All tags with the names of their attributes, all ids, all links, and the text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.links, self.words = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if "href" in told else []

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def entries_of(page):
    """The text of each erratum or figure, by its id."""
    blocks = re.findall(r"<article.*?</article>", page, re.DOTALL)
    return {Reader(block).ids[0]: " ".join(Reader(block).text.split()) for block in blocks}


@pytest.mark.parametrize(
    ("module", "pattern", "rows", "number"),
    [
        (_errata, r"E-\d+", catalogue.errata, 134),
        (_figures, r"F-\d+", catalogue.figures, 100),
        (_tricks, r"S-[A-Z]+-\d+", catalogue.systems, 192),
    ],
    ids=["errata", "figures", "tricks"],
)
def test_every_row_of_the_catalogue_has_one_anchor(module, pattern, rows, number):
    ids = Reader(rendered(module, edition_of(record_of(HARMLESS)))).ids
    anchors = [id for id in ids if re.fullmatch(pattern, id)]
    assert len(anchors) == number
    assert sorted(anchors) == sorted(rows())
    assert len(set(ids)) == len(ids)


def test_errata_stand_in_the_order_of_the_notes():
    shown = list(entries_of(unmeasured_page(_errata)))
    wheres = [catalogue.errata()[id].where for id in shown]
    places = [re.search(r"(\d+):(\d+)", where) for where in wheres]
    numbers = [(int(place[1]), int(place[2])) for place in places if place]
    assert numbers == sorted(numbers)
    assert places[-1] is None and len(numbers) == 133  # E-48 concerns all notes


def test_without_records_nothing_is_called_measured_and_misprints_need_no_experiment():
    assert "<dt>measured</dt>" not in unmeasured_page(_errata)
    for id, text in entries_of(unmeasured_page(_errata)).items():
        erratum = catalogue.errata()[id]
        open_ = erratum.kind != "D" or id in MEASURABLE_MISPRINTS
        assert ("not yet measured" in text) == open_, id
        assert ("no experiment needed" in text) != open_, id
        if erratum.size:
            assert "expected:" in text, id


def test_a_measured_erratum_shows_the_record_and_no_expected_size():
    page = rendered(_errata, edition_of(record_of(HARMLESS)))
    text = entries_of(page)["E-05"]
    assert page.count("<dt>measured</dt>") == 1
    assert "confirmed" in text and "a word: 1 [0.5, 1.5]" in text and "Scope: a word" in text
    assert "control a word passed" in text
    assert "expected" not in text and "not yet measured" not in text
    assert "../gallery/#question" in Reader(page).links


def test_tallies_are_counted_from_the_verdicts():
    confirmed = record_of(HARMLESS, subject="E-01")
    refuted = record_of(HARMLESS, subject="E-02")
    refuted["verdicts"][0]["outcome"] = "refuted"
    text = Reader(rendered(_errata, edition_of(confirmed, refuted))).text
    assert "134 errata" in text and "refuted 1" in text and "confirmed 1" in text
    assert "not yet measured 104" in text  # 134 less 2 measured, less 28 misprints
    text = Reader(rendered(_figures, edition_of(record_of(HARMLESS)))).text
    assert "not yet drawn 99, drawn 1" in text


def test_a_drawn_figure_tells_its_run_and_a_missing_one_its_plan(tmp_path):
    record = record_of(HARMLESS) | {"device": "a chip", "wall_seconds": 12.345}
    shown = entries_of(rendered(_figures, edition_of(record, folder=tmp_path)))
    assert "a chip" in shown["F-001"] and "12.345 s" in shown["F-001"]
    assert "not yet drawn" not in shown["F-001"]
    assert "not yet drawn; planned: same with" in shown["F-002"]
    assert list(shown)[0] == "F-001" and len(shown) == 100


@pytest.mark.parametrize(
    ("module", "subject", "shown_at"),
    [(_errata, "E-{:02}", "../gallery/#question"), (_figures, "F-{:03}", "../gallery/#question")],
    ids=["errata", "figures"],
)
def test_hostile_records_are_shown_as_text(module, subject, shown_at):
    """Each hostile text is in a record of its own, so that each has an entry of its own."""
    ids = [subject.format(number) for number in range(1, len(HOSTILE) + 1)]

    def page(texts):
        records = [
            record_of(text, subject=id, figures=[id]) for id, text in zip(ids, texts, strict=True)
        ]
        return rendered(module, edition_of(*records))

    harmless, hostile = page([HARMLESS] * len(HOSTILE)), page(HOSTILE)
    expected, shown = Reader(harmless), Reader(hostile)
    assert shown.tags == expected.tags
    assert shown.ids == expected.ids and shown.links == expected.links
    assert shown.links.count(shown_at) == len(HOSTILE)
    entries = entries_of(hostile)
    for id, text in zip(ids, HOSTILE, strict=True):
        assert " ".join(printable(text).split()) in entries[id], text


def test_links_of_tricks_lead_to_public_names():
    links = [link for link in Reader(unmeasured_page(_tricks)).links if "/api/" in link]
    assert len(links) > 250
    for link in links:
        found = re.fullmatch(r"\.\./api/([\w.]+)/#jaxtricks\.\1\.(\w+)", link)
        assert found, link
        assert hasattr(importlib.import_module(f"jaxtricks.{found[1]}"), found[2]), link


def test_every_trick_names_what_answers_it_or_the_reason():
    items = re.findall(r"<li id=.*?</li>", unmeasured_page(_tricks), re.DOTALL)
    for item in map(Reader, items):
        system = catalogue.systems()[item.ids[0]]
        assert all(name in item.text for name in system.where or ()), system.id
        assert (f"none: {system.reason}" in item.text) == (system.where is None), system.id


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`a<b`", "<code>a&lt;b</code>"),
        ("as E-04", 'as <a href="../errata/#E-04">E-04</a>'),
        ("S-AUG-01 & F-042", '<a href="../tricks/#S-AUG-01">S-AUG-01</a> &amp; '
         '<a href="../figures/#F-042">F-042</a>'),
        ("1e-7, ONE-12", "1e-7, ONE-12"),
        ("除以cache的平方", '<span lang="zh">除以cache的平方</span>'),
        ("相等 x", '<span lang="zh">相等</span> x'),
    ],
)  # fmt: skip
def test_own_text_marks_code_entries_and_chinese(text, shown):
    assert own_html(text) == shown
