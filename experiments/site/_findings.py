"""What was found, topic by topic, on one screen each: every claim in a line, and how to run it."""

from urllib.parse import quote

from experiments import catalogue
from experiments.markup import link_target, plain_html
from experiments.site._card import chip_of, found, shorten, topic
from experiments.site._claims import tally, tally_sentence
from experiments.site._edition import Edition, Record
from experiments.site._entries import own_html

LONGEST = 180  # characters of a finding
HEAD = """---
title: Findings
search:
  exclude: true
---

# Findings by topic

Each line is a claim of the five lecture notes, with its verdict and the number that decided it.
The claim's own page has all numbers and the rule of its verdict, which was fixed before the run.

"""


def pages(edition: Edition) -> dict[str, str]:
    """The page `findings.md`."""
    topics: dict[str, list[Record]] = {}
    for record in edition.records:
        topics.setdefault(topic(record), []).append(record)
    sections = [_section(name, topics[name], edition) for name in sorted(topics)]
    return {"findings.md": HEAD + "\n\n".join(filter(None, sections)) + "\n"}


def anchor(name: str) -> str:
    """The id of a topic's section."""
    return quote(name.replace(" ", "-"), safe="")


def judged(records: list[Record]) -> list[str]:
    """The claims that the records judge, in the catalogue's order."""
    subjects = {row["subject"] for record in records for row in record["verdicts"]}
    return [claim for claim in catalogue.claims() if claim in subjects]


def _section(name: str, records: list[Record], edition: Edition) -> str:
    """Nothing for a topic of errata alone."""
    claims = judged(records)
    if not claims:
        return ""
    lines = "\n".join(_line(claim, edition) for claim in claims)
    folder = plain_html(records[0]["script"].split("/")[0])
    minutes = max(1, round(sum(record["wall_seconds"] for record in records) / 60))
    return (
        f'<h2 id="{plain_html(anchor(name))}">{plain_html(name.capitalize())}</h2>\n'
        f"<p>{tally_sentence(tally(edition, claims))} "
        f'<a href="../gallery/?topic={quote(name, safe="")}">Pictures</a>.</p>\n'
        f'<ul class="edition-findings">\n{lines}\n</ul>\n'
        f"<p>Run it again: <code>python -m experiments --tier 3 --only {folder}</code>, "
        f"{minutes} minutes by the records. Every experiment also takes "
        '<a href="../guides/your_own_experiment/">settings of your own</a>, such as another start '
        "or other rates.</p>"
    )


def _line(claim: str, edition: Edition) -> str:
    verdict, record = edition.verdicts[claim]
    card = plain_html(link_target(record["script"].split("/")[-1]))
    words = plain_html(shorten(found(verdict), LONGEST))
    return (
        f'<li><a href="../claims/#{claim}">{claim}</a> '
        f"{own_html(catalogue.claims()[claim].text)}<br>{chip_of(claim, edition)} "
        f'{words} <a href="../gallery/#{card}">Picture</a></li>'
    )
