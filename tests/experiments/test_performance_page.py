"""The page of measured costs: whatever a record holds is text, and a bad file costs its section."""

import json

import pytest

from experiments.performance import report
from tests.experiments.test_markup import HOSTILE, markdown_cells, shown


def imports_record(text):
    return {
        "device": text,
        "versions": {text: text, "python": "3"},
        "load": text,
        "rounds": text,
        "seconds": {"added": [0.1, 0.1, 0.1], "theirs": [1.0, 1.0, 1.0]},
    }


def device_file(text):
    """One record measured, one failed, every free string the text."""
    common = {"device": text, "versions": {text: text}, "load": 1.0, "took_seconds": 1.0}
    measured = {
        **common,
        "status": "measured",
        "ratios": {text: [1.0, 2.0, 3.0]},
        "per_second": {text: [1.0, 2.0, 3.0]},
        "left_out": {text: text},
        "about": {text: [text]},
    }
    return {
        "schema": 1,
        "script": text,
        "platform": text,
        "device": text,
        "sizes": "full",
        "records": {text: measured, "other": {**common, "status": "failed", "error": text}},
    }


def folder_of(path, text):
    folder = path / "performance"
    (folder / "gpu").mkdir(parents=True)
    (folder / "imports.json").write_text(json.dumps(imports_record(text)))
    (folder / "gpu" / "device.json").write_text(json.dumps(device_file(text)))
    return folder


@pytest.mark.parametrize("text", HOSTILE)
def test_page_shows_a_hostile_record_as_text(tmp_path, text):
    page = report.page(folder_of(tmp_path / "a", text))
    harmless = report.page(folder_of(tmp_path / "b", "harmless"))
    assert len(page.splitlines()) == len(harmless.splitlines())
    assert all(character.isprintable() or character == "\n" for character in page)
    cells, kinds = markdown_cells(page)
    plain, plain_kinds = markdown_cells(harmless)
    assert kinds <= plain_kinds | {"text_special"}
    squeezed = ["".join(cell.replace("harmless", shown(text)).split()) for cell in plain]
    assert ["".join(cell.split()) for cell in cells] == squeezed  # lines are joined here and there
    assert "harmless 2.00 (1.00 to 3.00); harmless left out: harmless" in plain
    assert "failed: harmless" in plain


def test_a_bad_file_costs_its_own_section_and_is_named(tmp_path, capsys):
    folder = folder_of(tmp_path, "harmless")
    (folder / "epochs.json").write_text('{"device": "torn')
    (folder / "streams.json").write_text('{"name": "a stranger\'s"}')
    (folder / "tpu").mkdir()
    (folder / "tpu" / "device.json").write_text("[]")
    report.main([str(folder)])
    page = (tmp_path / "performance.md").read_text()
    assert "## Import" in page and "## All checks on harmless" in page
    assert "## An epoch" not in page and "## Reading" not in page
    warnings = capsys.readouterr().err
    for name in ("epochs.json", "streams.json", "tpu/device.json", "update_rules.json"):
        assert f"left out of the page: {folder}/{name}" in warnings
    assert "imports.json" not in warnings
    report.main([str(folder)])  # our own page is replaced


def test_a_strangers_page_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "performance.md").write_text("# My page")
    with pytest.raises(SystemExit):
        report.main([str(folder_of(tmp_path, "harmless"))])
    assert "would be overwritten" in capsys.readouterr().err
    assert (tmp_path / "performance.md").read_text() == "# My page"
