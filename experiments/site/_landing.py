"""The first page: what it is, three findings with their pictures, two commands, where to go."""

import re
from pathlib import Path
from urllib.parse import quote

from experiments.engine._headlines import Finding, findings, tally
from experiments.engine._results import read_verdict
from experiments.markup import plain_html
from experiments.site._card import alternative_text, chip_of, picture_html, told_html, topic
from experiments.site._edition import Edition
from experiments.site._findings import anchor, judged, title
from experiments.site._images import picture_of

README = Path(__file__).parents[2] / "README.md"
BEGINNING = re.compile(r"# jaxtricks\n\n(\w[^\n]*(?:\n[^\n]+)*)\n\n")
COMMAND = re.compile(r"(?m)^python3 -m venv .+$")
PAGE = """---
title: jaxtricks
hide: [navigation, toc]
---

# jaxtricks

{sentence}

## Findings

{tally} How each is judged was [fixed before the runs](judging.md). The notes are five texts in
Chinese, 000 to 004, from which deep learning is taught; everywhere `002:229` is line 229 of note
002.

<div class="edition"><div class="edition-cards" style="{columns}">
{cards}
</div></div>

In brackets stands the 95 % interval over the seeds. [All claims](claims.md),
[all pictures](gallery.md).

{topics}## Two commands

In a clone, with Python 3.11 or newer. The first draws the pictures that take seconds and judges
their claims; the second runs the tests.

{commands}

## Where to go

**You want to know whether a trick does what is said of it.** Look at the
[gallery](gallery.md), look up a [claim](claims.md) or a [figure](figures.md), or see where the
notes are wrong ([errata](errata.md)). [How the claims are judged](judging.md) has the rules, and
on [Play](play.md) you move the rules over their surfaces yourself.

**You want to run it again, or differently.** `python -m experiments --only {example}` runs one
claim, and each card of the gallery has its own command.
[Your own experiment](guides/your_own_experiment.md) changes one of ours or begins a new one.

**You train networks, or want to add a trick.** [Train, stop and resume](guides/training.md),
[compose with optax](guides/compose_with_optax.md), [port a recipe](guides/port_a_recipe.md), look
up [a trick](tricks.md) or [a convention](conventions.md), and see
[how to contribute](contributing.md).
"""
THREE = "grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr))"


def pages(edition: Edition) -> dict[str, str]:
    """The page `index.md`; its pictures are those of the gallery.

    Raises:
        ValueError: README.md lacks its first paragraph or its two commands.
    """
    found = findings(edition.verdicts)
    readme = README.read_text("utf-8")
    text = PAGE.format(
        sentence=first_paragraph(readme),
        tally=tally(edition.verdicts),
        columns=THREE,
        cards="\n".join(_card(finding, edition) for finding in found),
        commands="\n\n".join(f"```bash\n{command}\n```" for command in commands(readme)),
        topics=_topics(edition),
        example=found[0].headline.claim if found else "C-001",
    )
    return {"index.md": text}


def first_paragraph(readme: str) -> str:
    """What stands below the README's title, word for word."""
    found = BEGINNING.match(readme)
    if not found:
        raise ValueError("README.md must begin with '# jaxtricks' and a paragraph of text.")
    return found[1]


def commands(readme: str) -> list[str]:
    """The README's two command lines, word for word."""
    found = COMMAND.findall(readme)
    if len(found) != 2:
        raise ValueError(f"README.md needs 2 lines from 'python3 -m venv' on, has {len(found)}.")
    return found


def _topics(edition: Edition) -> str:
    """A paragraph with a link for each topic to what was found about it; empty without any."""
    names = sorted({topic(record) for record in edition.records if judged([record])})
    links = ", ".join(
        f'<a href="findings/#{plain_html(anchor(name))}">{plain_html(title(name).lower())}</a>'
        for name in names
    )
    return f"<p>What was found about {links}.</p>\n\n" if links else ""


def _card(finding: Finding, edition: Edition) -> str:
    """A finding with its picture; the links go to the claim and to the card of the gallery."""
    record, claim = edition.verdicts[finding.headline.claim][1], finding.headline.claim
    picture = picture_of(record, edition.folder)
    verdicts = [read_verdict(row) for row in record["verdicts"]]
    shown = picture_html(picture, alternative_text(record, verdicts), root="") if picture else ""
    card = f"gallery/#{quote(finding.question, safe='')}"
    return (
        f'<article class="edition-card"><h3>{plain_html(finding.headline.title)}</h3>{shown}'
        f"<p>{plain_html(finding.sentence)}</p><p>{chip_of(claim, edition)} "
        f'<a href="claims/#{claim}">Claim {claim}</a>: {told_html(claim)}</p>'
        f'<p><a href="{card}">{plain_html(record["question"])}</a></p></article>'
    )
