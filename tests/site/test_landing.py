"""The first page: three findings of the records, and the README's own words and commands."""

import dataclasses
import re

import pytest

from experiments.engine._freeze import COMMITTED
from experiments.engine._headlines import findings, tally
from experiments.site import _landing
from experiments.site._edition import read_edition


@pytest.fixture(scope="module")
def edition():
    return read_edition(COMMITTED)


def test_it_tells_the_tally_and_three_findings_of_the_records(edition):
    page = _landing.pages(edition)["index.md"]
    assert tally(edition.verdicts) in page
    cards = re.findall(r"<article.*?</article>", page)
    assert len(cards) == 3
    for card, finding in zip(cards, findings(edition.verdicts), strict=True):
        measured = finding.part.measured.removeprefix(f"{finding.part.text}: ")
        assert measured in card and finding.headline.outcome in card
        assert f'href="claims/#{finding.headline.claim}"' in card
        assert f'href="gallery/#{finding.question}"' in card
        assert f'src="assets/pictures/{finding.question}-960.webp"' in card


def test_it_has_the_sentence_and_the_commands_of_the_readme(edition):
    page, readme = _landing.pages(edition)["index.md"], _landing.README.read_text("utf-8")
    blocks = re.findall(r"```bash\n(.*)\n```", page)
    assert len(blocks) == 2
    assert all(f"```bash\n{block}\n```" in readme for block in blocks)
    sentence = page.split("# jaxtricks\n\n")[1].split("\n\n")[0]
    assert readme.startswith(f"# jaxtricks\n\n{sentence}\n")


@pytest.mark.parametrize(
    ("readme", "lacks"),
    [("", "must begin"), ("# jaxtricks\n", "must begin"), ("# other\n\nIt is.\n\n", "must begin"),
     ("# jaxtricks\n\n![a](b.png)\n\n", "must begin"), ("# jaxtricks\n\nIt is.\n\n", "2 lines"),
     ("# jaxtricks\n\nIt is.\n\npython3 -m venv a\n", "2 lines .* has 1")],
)  # fmt: skip
def test_a_readme_of_another_structure_is_told(edition, tmp_path, monkeypatch, readme, lacks):
    (tmp_path / "README.md").write_text(readme)
    monkeypatch.setattr(_landing, "README", tmp_path / "README.md")
    with pytest.raises(ValueError, match=f"README.md .*{lacks}"):
        _landing.pages(edition)


def test_markup_in_a_record_is_only_text(edition):
    planted = "<img src=x onerror=alert(1)>"
    verdicts = {
        subject: (verdict, {**record, "question": planted, "data_set": planted})
        for subject, (verdict, record) in edition.verdicts.items()
    }
    page = _landing.pages(dataclasses.replace(edition, verdicts=verdicts))["index.md"]
    assert planted not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_without_a_record_it_still_stands(edition):
    page = _landing.pages(dataclasses.replace(edition, records=(), verdicts={}))["index.md"]
    assert "0 are judged so far" in page and "<article" not in page
    assert "What was found about" not in page
    assert "[all pictures](gallery.md).\n\n## Two commands" in page
