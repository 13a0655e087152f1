"""What was found, topic by topic, on one screen each: every claim in a line, and how to run it."""

from urllib.parse import quote

from experiments import catalogue
from experiments.markup import plain_html
from experiments.site._card import chip_of, found, topic
from experiments.site._claims import tally, tally_sentence
from experiments.site._edition import Edition, Record
from experiments.site._entries import card_address, own_html

OWN_START = "guides/your_own_experiment/#from-a-start-of-your-own"
LONGEST = 180  # characters of a finding
TITLES = {"adaptive": "adaptive methods", "normalization": "normalization (batch norm)"}
PLAYED = ("adaptive", "gradient descent", "momentum", "optimizers")  # what the page "Play" shows
HEAD = """---
title: Findings
search:
  exclude: true
---

# Findings by topic

Each line is a claim of the five lecture notes, with its verdict and the number that decided it.
The claim's own page has all numbers and the rule of its verdict, which was fixed before the run. δ
is the smallest difference that counts; in brackets stands the 95 % interval.

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
    return (
        f'<h2 id="{plain_html(anchor(name))}">{plain_html(title(name))}</h2>\n'
        f"<p>{tally_sentence(tally(edition, claims))} "
        f'<a href="../gallery/?topic={quote(name, safe="")}">Pictures</a>.</p>\n'
        f"<p>{_run(name, records)}</p>\n"
        f'<ul class="edition-findings">\n{lines}\n</ul>'
    )


def title(name: str) -> str:
    """The topic as a heading, with the word that readers look for."""
    return TITLES.get(name, name).capitalize()


def _run(name: str, records: list[Record]) -> str:
    folder = plain_html(records[0]["script"].split("/")[0])
    minutes = max(1, round(sum(record["wall_seconds"] for record in records) / 60))
    unit = "minute" if minutes == 1 else "minutes"
    play = ' <a href="../play/">Move the start in the browser</a>.' if name in PLAYED else ""
    return (
        f"Run all of it again: <code>python -m experiments --only {folder}</code> "
        f"({minutes} {unit} by the records). "
        f'<a href="../{OWN_START}">From a start of your own, or with other settings</a>: '
        f"a few lines of Python.{play}"
    )


def _line(claim: str, edition: Edition) -> str:
    verdict, record = edition.verdicts[claim]
    words = plain_html(found(verdict, LONGEST))
    claimed = catalogue.claims()[claim]
    return (
        f'<li><a href="../claims/#{claim}">{claim}</a> '
        f"{own_html(claimed.text)} ({', '.join(claimed.notes)})<br>{chip_of(claim, edition)} "
        f'{words} <a href="{card_address(record["script"])}">Picture</a></li>'
    )
