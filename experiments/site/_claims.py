"""The ledger of the claims, topic by topic, each with what was found and how it was judged."""

from collections.abc import Iterable, Mapping

from experiments import catalogue
from experiments.markup import plain_html
from experiments.site._card import (
    SIGNS,
    finding_html,
    folded_html,
    outcome_of,
    says_html,
)
from experiments.site._edition import Edition
from experiments.site._entries import card_address, own_html
from experiments.site._filter import Marks, form_html, marks_html
from experiments.site._gallery import notes_in

HEAD = """---
title: Claims
hide: [toc]
---

# Claims

{summary} How each is judged was fixed before looking: its row of the protocol is folded beside the
numbers, and [the rules](judging.md) say how it is read. Intervals are 95 % over the seeds, *n* is
the number of independent units, δ the smallest effect that matters, *p* the p-value that the
verdict rests on and *q* its false discovery rate over all verdicts in which something is random.

"""


def pages(edition: Edition) -> dict[str, str | bytes]:
    """The page of the claims."""
    return {"claims.md": claims_page(edition)}


def claims_page(edition: Edition) -> str:
    """The page in Markdown; all below its first lines is HTML."""
    topics: dict[str, list[catalogue.Claim]] = {}
    for claim in catalogue.claims().values():
        topics.setdefault(claim.section, []).append(claim)
    marks = [_marks(claim, edition) for claim in catalogue.claims().values()]
    form = form_html(marks, SIGNS, noun="claims")
    sections = "\n".join(_section(topic, rows, edition) for topic, rows in topics.items())
    summary = tally_sentence(tally(edition, catalogue.claims()))
    return HEAD.format(summary=summary) + f'<div class="edition">{form}\n{sections}\n</div>\n'


def tally(edition: Edition, claims: Iterable[str]) -> dict[str, int]:
    """How many of the claims have each outcome, in the order of `SIGNS`; none that no claim has."""
    outcomes = [outcome_of(claim, edition) for claim in claims]
    return {name: outcomes.count(name) for name in SIGNS if name in outcomes}


def tally_sentence(counts: Mapping[str, int]) -> str:
    """The tally in words: "Of 26 claims 14 are confirmed and 12 are refuted."."""
    if sum(counts.values()) == 1:
        return f"Its one claim {_verb(next(iter(counts)), 1)}."
    words = [f"{count} {_verb(name, count)}" for name, count in counts.items()]
    listed = ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
    return f"Of {sum(counts.values())} claims {listed}."


def _verb(outcome: str, count: int) -> str:
    verb = "is" if count == 1 else "are"
    if outcome == "no difference":
        return f"{'shows' if count == 1 else 'show'} no difference"
    return f"{verb} {outcome}"


def _section(topic: str, rows: list[catalogue.Claim], edition: Edition) -> str:
    id = plain_html("-".join(topic.lower().replace(",", "").split()))
    counts = tally_sentence(tally(edition, (claim.id for claim in rows)))
    cards = "\n".join(_claim(claim, edition) for claim in rows)
    return (
        f'<section data-group><h2 id="{id}">{own_html(topic)}</h2><p>{counts}</p>'
        f'<div class="edition-cards">\n{cards}\n</div></section>'
    )


def _claim(claim: catalogue.Claim, edition: Edition) -> str:
    return (
        f'<article class="edition-card"{marks_html(_marks(claim, edition))}>'
        f'<h3 id="{claim.id}"><a href="#{claim.id}">{claim.id}</a> {own_html(claim.text)}</h3>'
        f"{says_html(claim.id)}{finding_html(claim.id, edition)}"
        f"{folded_html(claim.id, edition)}{_picture_link(claim.id, edition)}</article>"
    )


def _picture_link(claim: str, edition: Edition) -> str:
    if claim not in edition.verdicts:
        return ""
    record = edition.verdicts[claim][1]
    link = f'<a href="{card_address(record["script"])}">{plain_html(record["question"])}</a>'
    return f'<p class="edition-run">Picture: {link}</p>'


def _marks(claim: catalogue.Claim, edition: Edition) -> Marks:
    return {
        "verdict": (outcome_of(claim.id, edition),),
        "topic": (claim.section,),
        "note": tuple(sorted(notes_in(claim.notes))),
    }
