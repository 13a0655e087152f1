"""The catalogue is complete, readable, and points at lines that exist."""

import ast
import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from experiments import catalogue

REFERENCE = re.compile(r"(\d{3})(?::(\d+)(?:-(\d+))?)?")
LINES = {"000": 183, "001": 146, "002": 1085, "003": 107, "004": 747}
OPTIONAL = {"Erratum.size", "System.where", "System.reason"}
TABLES = [
    catalogue.claims,
    catalogue.protocol,
    catalogue.errata,
    catalogue.figures,
    catalogue.systems,
]


@pytest.mark.parametrize(
    ("table", "form", "count"),
    [
        (catalogue.claims, "C-{:03d}", 150),
        (catalogue.protocol, "C-{:03d}", 150),
        (catalogue.errata, "E-{:02d}", 134),
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
    assert kinds == {"A": 30, "B": 23, "C": 50, "D": 31}


@pytest.mark.parametrize("table", TABLES)
def test_every_text_is_text(table):
    """No empty cell, no dash for one, no remains of a table row or of an editor's mark."""
    for row in table().values():
        for name, value in dataclasses.asdict(row).items():
            if isinstance(value, str):
                assert value == value.strip() and value not in ("", "–", "-"), (row.id, name)
                assert "[M" not in value and value.count("|") % 2 == 0, (row.id, name)
                assert value.count("`") % 2 == 0 and "\n" not in value, (row.id, name)
            elif value is None:
                assert f"{type(row).__name__}.{name}" in OPTIONAL, (row.id, name)


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


ROWS = {
    "claims": "Claim",
    "protocol": "Protocol",
    "errata": "Erratum",
    "figures": "Figure",
    "systems": "System",
}
FOLDER = Path(catalogue.__file__).parent


@pytest.mark.parametrize("table", ROWS)
def test_every_field_of_the_file_is_declared_and_read(table):
    """A field that neither an experiment nor the ledger reads is to be shown or deleted."""
    declared = {field.name for field in dataclasses.fields(getattr(catalogue, ROWS[table]))}
    rows = json.loads((FOLDER / f"{table}.json").read_text("utf-8"))
    assert {"kind" if key == "class" else key for row in rows for key in row} == declared
    unread = declared - fields_read(table)
    assert not unread, f"no file under experiments/ reads {unread} of {table}.json"


def test_every_file_of_the_catalogue_is_known():
    assert {path.stem for path in FOLDER.glob("*.json")} == {*ROWS, "beyond"}


def test_fields_are_found_where_rows_are_read_and_nowhere_else():
    code = """
def show(axes, erratum: catalogue.Erratum):
    axes.text(0, 0, erratum.right)
    for claim in catalogue.claims().values():
        print(claim.text, axes.size)
    return [f.shows for f in catalogue.figures().values() if f.right_if]
"""
    found = {table: fields_in(ast.parse(code), table) for table in ROWS}
    assert found == {
        "claims": {"text"},
        "protocol": set(),
        "errata": {"right"},
        "figures": {"shows", "right_if"},
        "systems": set(),
    }


def fields_read(table):
    paths = [path for path in FOLDER.parent.rglob("*.py") if path.parent != FOLDER]
    texts = [path.read_text("utf-8") for path in paths]
    return set().union(
        *(fields_in(ast.parse(text), table) for text in texts if "catalogue." in text)
    )


def fields_in(tree, table):
    """Attributes of names that run over the table's values or are annotated as one of its rows."""
    fields = set()
    for scope in ast.walk(tree):
        loops = [scope] if isinstance(scope, ast.For) else getattr(scope, "generators", [])
        names = {
            ast.unparse(loop.target)
            for loop in loops
            if ast.unparse(loop.iter) == f"catalogue.{table}().values()"
        }
        if isinstance(scope, ast.FunctionDef):
            names |= {
                argument.arg
                for argument in scope.args.args
                if argument.annotation
                and ast.unparse(argument.annotation) == f"catalogue.{ROWS[table]}"
            }
        fields |= {
            node.attr
            for node in ast.walk(scope)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in names
        }
    return fields


def _references(row):
    if isinstance(row, catalogue.Erratum):
        return re.findall(r"\d{3}:[\d-]+", row.where)
    if isinstance(row, catalogue.Protocol):
        return re.findall(r"\d{3}:[\d-]+", row.says)
    return row.notes
