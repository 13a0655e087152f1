"""The catalogue is complete, readable, and points at lines that exist."""

import dataclasses
import re
from collections import Counter

import pytest

from experiments import catalogue

REFERENCE = re.compile(r"(\d{3})(?::(\d+)(?:-(\d+))?)?")
LINES = {"000": 183, "001": 146, "002": 1085, "003": 107, "004": 747}
TABLES = [catalogue.claims, catalogue.errata, catalogue.figures, catalogue.systems]


@pytest.mark.parametrize(
    ("table", "form", "count"),
    [
        (catalogue.claims, "C-{:03d}", 150),
        (catalogue.errata, "E-{:02d}", 124),
        (catalogue.figures, "F-{:03d}", 100),
    ],
)
def test_ids_are_contiguous(table, form, count):
    assert list(table()) == [form.format(number) for number in range(1, count + 1)]


def test_systems_are_numbered_within_their_group():
    groups = Counter(key[:5] for key in catalogue.systems())
    want = [f"{group}-{n:02d}" for group in sorted(groups) for n in range(1, groups[group] + 1)]
    assert list(catalogue.systems()) == want
    assert len(want) == 192
    assert len({(row.id[:5], row.group) for row in catalogue.systems().values()}) == len(groups)


def test_errata_by_class():
    kinds = Counter(row.kind for row in catalogue.errata().values())
    assert kinds == {"A": 30, "B": 23, "C": 43, "D": 28}


@pytest.mark.parametrize("table", TABLES)
def test_every_text_is_text(table):
    """No empty cell, no dash for one, no remains of a table row or of an editor's mark."""
    for row in table().values():
        for name, value in dataclasses.asdict(row).items():
            if isinstance(value, str):
                assert value == value.strip() and value not in ("", "–", "-"), (row.id, name)
                assert "|" not in value and "[M" not in value, (row.id, name)
                assert value.count("`") % 2 == 0 and "\n" not in value, (row.id, name)
            elif value is None:
                assert isinstance(row, catalogue.Erratum) and name == "size", (row.id, name)


@pytest.mark.parametrize("table", TABLES)
def test_note_references_point_at_lines(table):
    for row in table().values():
        for reference in _references(row):
            match = REFERENCE.fullmatch(reference)
            assert match, (row.id, reference)
            note, first, last = match.groups()
            if first:
                assert 1 <= int(first) <= int(last or first) <= LINES[note], (row.id, reference)
            assert note in LINES


def test_only_rows_about_everything_have_no_reference():
    bare = {row.id for table in TABLES for row in table().values() if not _references(row)}
    assert bare == {"E-48"} | {f"S-LIB-{number:02d}" for number in range(1, 10)}


def test_ids_named_in_texts_exist():
    known = {key for table in TABLES for key in table()}
    for table in TABLES:
        for row in table().values():
            texts = " ".join(v for v in dataclasses.asdict(row).values() if isinstance(v, str))
            named = re.findall(r"\b(?:S-[A-Z]{3}-\d\d|[CF]-\d{3}|E-\d{2,3})\b", texts)
            assert known.issuperset(named), row.id


def test_the_tables_are_read_once_and_cannot_be_written():
    assert catalogue.claims() is catalogue.claims()
    with pytest.raises(TypeError):
        catalogue.claims()["C-151"] = catalogue.claims()["C-150"]


def _references(row):
    if isinstance(row, catalogue.Erratum):
        return re.findall(r"\d{3}:[\d-]+", row.where)
    return row.notes
