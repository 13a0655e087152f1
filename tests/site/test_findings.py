"""The findings by topic: each judged claim once, under its topic, with how to run it again."""

import re

import pytest

from experiments import catalogue
from experiments.engine._freeze import COMMITTED
from experiments.site import _findings
from experiments.site._edition import Edition, read_edition


@pytest.fixture(scope="module")
def edition():
    return read_edition(COMMITTED)


@pytest.fixture(scope="module")
def page(edition):
    return _findings.pages(edition)["findings.md"]


def test_each_judged_claim_stands_under_its_topic_once(edition, page):
    listed = re.findall(r'<li><a href="\.\./claims/#(C-\d{3})">', page)
    assert sorted(listed) == sorted(edition.verdicts.keys() & catalogue.claims().keys())
    momentum = page.split('<h2 id="momentum">')[1].split("<h2")[0]
    assert "C-013" in momentum and "C-106" not in momentum
    assert "--only momentum</code>" in momentum


def test_the_parts_of_a_claim_are_counted(edition, page):
    verdict, _ = edition.verdicts["C-067"]
    outcomes = [part.outcome for part in verdict.parts]
    line = next(line for line in page.split("</li>") if '"../claims/#C-067"' in line)
    assert f"{len(outcomes)} parts, all must hold" in line
    assert f"{outcomes.count('confirmed')} confirmed" in line


def test_a_topic_that_judges_no_claim_is_left_out():
    record = {"script": "errata/question", "verdicts": [{"subject": "E-01"}], "wall_seconds": 1}
    page = _findings.pages(Edition((record,), {}, {}, COMMITTED))["findings.md"]
    assert "<h2" not in page
