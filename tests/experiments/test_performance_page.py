"""The page of measured costs: whatever a record holds is text, and a bad file costs its section."""

import json
import pathlib

import pytest

from experiments.performance import report
from experiments.performance._findings import FINDINGS
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


def ratios(name, value):
    return {name: [value - 0.1, value, value + 0.1]}


def rule(optax, torch):
    over = ratios("optax", optax) | ratios("torch", torch)
    return {"over_ours": over, "cpu_over_ours": ratios("torch", torch / 2)}


def test_the_page_begins_with_what_its_records_found(tmp_path):
    text = report.page(folder_of(tmp_path, "harmless"))
    told = "- Importing jaxtricks adds 0.10 s to the 1.00 s of what it imports.\n"
    assert text.startswith(f"# What it costs\n\n{told}")
    assert text.index("is written by") < text.index("## Import")


def test_rules_are_faster_slower_or_alike_and_bounds_that_are_missed_are_named():
    rules = {"adam": rule(1.04, 0.9), "sgd": rule(1.2, 3.0), "adagrad": rule(0.8, 2.0)}
    told = FINDINGS["update_rules"]({"device": "a CPU", "rules": rules})
    assert told == (
        "On a CPU 1 of 3 update rules take as long as optax's, to 5 %; faster: sgd (optax takes "
        "1.20 times as long); slower: adagrad (optax takes 0.80 times as long); PyTorch's take "
        "0.90 to 3.00 times as long as ours, and 0.45 to 1.50 times the CPU time."
    )
    rows = [
        {"case": "L2", "met": False, "cpu_ratio": [1.1, 1.2, 1.3], "bound": 1.05},
        {"case": "dropout", "met": True, "cpu_ratio": [0.4, 0.5, 0.6], "bound": 1.1},
    ]
    told = FINDINGS["regularizers"]({"rows": rows})
    assert told.endswith(
        "keep 1 of 2 bounds on their cost, but not L2 (1.20, where 1.05 is allowed)."
    )


def test_the_best_number_of_threads_counts_for_torch_and_none_is_no_error():
    record = {"depth": 8, "ours": "native", "milliseconds": {"native": [60.0, 68.4, 70.0]}}
    record["over_ours"] = ratios("torch, threads 1", 1.5) | ratios("torch, threads 2", 1.2)
    told = "A step of ResNet-8 takes 68 ms"
    slower = f"{told}; PyTorch is slower, with 1.20 times our time."
    assert FINDINGS["conv_steps"](record) == slower
    assert FINDINGS["conv_steps"](record | {"over_ours": {}}) == f"{told}."


def test_no_table_of_the_committed_page_is_wider_than_seven_columns():
    committed = pathlib.Path(__file__).parents[2] / "paper_figs" / "performance"
    page = report.page(committed)
    assert page == committed.with_suffix(".md").read_text("utf-8")
    assert max(line.count("|") - 1 for line in page.splitlines() if line[:1] == "|") <= 7
