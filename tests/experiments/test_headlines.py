"""The findings of the front page: words that are told only of a record that bears them out."""

import dataclasses

import numpy as np
import pytest

from experiments import __main__ as command_line
from experiments import catalogue
from experiments.engine import _ledger as ledgers
from experiments.engine import all_of, paired
from experiments.engine._freeze import COMMITTED
from experiments.engine._headlines import (
    END,
    HEADLINES,
    START,
    findings,
    headlines,
    tally,
    with_headlines,
)
from experiments.engine._ledger import by_subject, read_folder, write_ledger
from experiments.engine._verdict import Verdict

NORM = next(headline for headline in HEADLINES if headline.claim == "C-106")
RECORD = {
    "script": "normalization/how_large",
    "preset": "default",
    "data_set": "digits",
    "animated": False,
}


def judged(values, *, outcome_effect=0.5, text=NORM.part):
    part = paired(text, np.asarray(values), effect=outcome_effect, claimed="up")
    return all_of("C-106", [part], scope="toy")


def told(verdict, **changed):
    return headlines({verdict.subject: (verdict, {**RECORD, **changed})}, "paper_figs")


STRONG = np.linspace(1.9, 2.1, 20)


def test_the_sentence_has_the_number_and_its_interval():
    """2 is the mean, 0.01392 its standard error; Student's t of 19 degrees is 2.093."""
    line = told(judged(STRONG)).splitlines()[-1]
    assert "by 2 [1.971, 2.029] octaves" in line
    claim = "Batch norm allows a larger learning rate and faster convergence"
    assert f"Claim C-106, *{claim}*, is confirmed" in line
    assert line.endswith(" ([picture](paper_figs/how_large.png), data: digits).")
    assert "how_large.gif" in told(judged(STRONG), animated=True)


@pytest.mark.parametrize(
    "verdict",
    [
        pytest.param(judged(-STRONG), id="refuted"),
        pytest.param(judged(STRONG, text="octaves of something else"), id="another part"),
        pytest.param(judged(STRONG, outcome_effect=1.5), id="depends on the smallest effect"),
        pytest.param(dataclasses.replace(judged(STRONG), outcome="undecided"), id="undecided"),
    ],
)
def test_a_record_that_says_something_else_is_passed_over(verdict):
    assert "Batch norm" not in told(verdict)


def test_a_smoke_run_is_passed_over():
    assert "Batch norm" not in told(judged(STRONG), preset="smoke")


def test_what_a_record_holds_is_only_text():
    line = told(judged(STRONG), data_set=f"{END}<b>*", script="a/b)c").splitlines()[-1]
    assert END not in line and "<b>" not in line and "(paper_figs/b%29c.png)" in line


def test_the_tally_counts_claims_by_outcome():
    outcomes = ["confirmed", "confirmed", "refuted", "no difference", "undecided", "not run"]
    subjects = [*list(catalogue.claims())[: len(outcomes)], "E-01"]
    made = {
        subject: (Verdict(subject, outcome), RECORD)
        for subject, outcome in zip(subjects, [*outcomes, "confirmed"], strict=True)
    }
    assert tally(made) == (
        "Of the 150 claims of the notes 5 are judged so far: 2 confirmed, 1 refuted, "
        "1 without a difference and 1 undecided."
    )


def test_every_headline_is_of_a_claim_and_the_records_have_three():
    assert all(headline.claim in catalogue.claims() for headline in HEADLINES)
    found = findings(by_subject(read_folder(COMMITTED)))
    assert len(found) == 3
    assert all(finding.part.low > 0 for finding in found)
    assert all((COMMITTED / f"{finding.question}.png").exists() for finding in found)


def test_only_what_stands_between_the_markers_is_replaced():
    page = f"a\n{START}\nold\n{END}\nb\n"
    assert with_headlines(page, "new") == f"a\n{START}\nnew\n{END}\nb\n"
    for broken in ("a", f"{END}{START}", page + page, f"{START}{START}{END}"):
        with pytest.raises(ValueError, match="once each"):
            with_headlines(broken, "new")


@pytest.mark.parametrize("page", [b"# Ours\n", START.encode(), b"\xff"])
def test_a_readme_without_the_markers_is_told_in_a_line(tmp_path, monkeypatch, capsys, page):
    (tmp_path / "README.md").write_bytes(page)
    monkeypatch.setattr(ledgers, "COMMITTED", tmp_path / "paper_figs")
    monkeypatch.setattr(command_line, "run_all", lambda *_: None)
    assert command_line.main(["--smoke", "--out", str(tmp_path / "paper_figs")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("README.md cannot take the findings: ")
    assert (tmp_path / "README.md").read_bytes() == page


def test_the_ledger_of_the_committed_records_writes_them_and_no_other(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text(f"# Ours\n{START}\n{END}\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "paper_figs").mkdir()
    monkeypatch.setattr(ledgers, "COMMITTED", tmp_path / "paper_figs")
    write_ledger(tmp_path / "other")
    assert (tmp_path / "README.md").read_text() == f"# Ours\n{START}\n{END}\n"
    write_ledger(tmp_path / "paper_figs")
    assert "Of the 150 claims of the notes 0 are judged" in (tmp_path / "README.md").read_text()
