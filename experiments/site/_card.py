"""What the pages show of a verdict, as HTML: chip, finding, and the numbers, folded.

Every string of a record goes through `plain_html`, and so does the catalogue's text.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable

from experiments import catalogue
from experiments.engine._judged import ANEW
from experiments.engine._ledger import NOT_YET, Q
from experiments.engine._part import Outcome, Part, number
from experiments.engine._sentences import (
    finding,
    gate_sentence,
    p_value,
    sensitivity_sentence,
)
from experiments.engine._verdict import Verdict
from experiments.markup import link_target, plain_html
from experiments.site._edition import Edition, Record
from experiments.site._entries import own_html
from experiments.site._images import FOLDER, SMALL, Picture

SIGNS = {
    "confirmed": "✓",
    "refuted": "✗",
    "no difference": "=",
    "undecided": "?",
    "not testable": "–",
    "not run": "–",
    "convention": "⇄",
    ANEW: "↻",
    NOT_YET: "…",
}
AT_LEAST = re.compile(r"(over|under) 0, at least ([^ ,)]+)")
SMALLER = r"\1 0, where less than \2 does not matter"  # the smallest effect that matters, δ
LONGEST = 300  # characters of a finding
VOID = "measured before the protocol was fixed: what was measured is no verdict"
QUANTIFIERS = {
    "A": "what holds always",
    "U": "what holds usually",
    "C": "a comparison",
    "E": "what may be",
    "T": "what cannot be tested",
}
CONTROLS = {
    "pos": "a planted case whose answer is known",
    "sat": "no method at a bound",
    "conv": "trained long enough",
    "fit": "the plain net over-fits",
    "nest": "settings chosen on other data",
    "edge": "no winner at the end of a grid",
}


def topic(record: Record) -> str:
    """What the script's folder is about, such as "learning rate"."""
    return record["script"].split("/")[0].replace("_", " ")


def chip(outcome: str, of: str = "") -> str:
    """The outcome with its sign: colour is never all that tells it; `of` stands before it."""
    kind = plain_html(outcome.replace(" ", "-"))
    return (
        f'<span class="edition-chip edition-{kind}"><span aria-hidden="true">'
        f"{SIGNS[outcome]}</span> {plain_html(of + outcome)}</span>"
    )


def chip_of(subject: str, edition: Edition) -> str:
    """The chip of a claim, or of an erratum, whose outcome is that of the correction.

    Where several parts decide it tells their outcomes too: a claim of four parts is refuted when
    one of them is.
    """
    outcome = outcome_of(subject, edition)
    corrected = subject in catalogue.errata() and outcome in ("confirmed", "refuted")
    told = chip(outcome, "correction " * corrected)
    parts = edition.verdicts[subject][0].parts if subject in edition.verdicts else ()
    if len(parts) < 2:
        return told
    counts = Counter(part.outcome for part in parts)
    needed = {"all": "all must hold", "any": "one must hold"}[edition.verdicts[subject][0].together]
    listed = ", ".join(f"{counts[name]} {name}" for name in SIGNS if counts[name])
    return f'{told} <span class="edition-parts-told">{len(parts)} parts, {needed}: {listed}.</span>'


def outcome_of(subject: str, edition: Edition) -> str:
    """The outcome of a claim or an erratum, `NOT_YET` if no record has it."""
    return edition.verdicts[subject][0].outcome if subject in edition.verdicts else NOT_YET


def found(verdict: Verdict, longest: int = LONGEST) -> str:
    """The engine's finding as plain text, without subject and outcome; empty if there is none.

    Of a finding of over `longest` characters the rest is left out, but not that it depends on δ.
    """
    if verdict.outcome == ANEW:
        return VOID
    told = finding(verdict).removeprefix(f"{verdict.subject} {verdict.outcome}").partition(": ")[2]
    failed = re.match(r"control (\S+) FAILED: ", told)
    if failed:
        name = CONTROLS.get(failed[1], failed[1])
        told = f"left open, as a control failed ({name}): {told[failed.end() :]}"
    depends = sensitivity_sentence(verdict)
    told = shorten(AT_LEAST.sub(SMALLER, told), longest)
    return told + f" ({depends})" * bool(depends)


def told_html(subject: str) -> str:
    """What is judged: the claim, or what an erratum prints and what is right."""
    if subject in catalogue.claims():
        return own_html(catalogue.claims()[subject].text)
    if subject in catalogue.errata():
        erratum = catalogue.errata()[subject]
        return f"Printed: {own_html(erratum.printed)}; right: {own_html(erratum.right)}"
    return plain_html(subject)


def finding_html(subject: str, edition: Edition) -> str:
    """Chip and finding, in one paragraph; of a long finding the rest is among the numbers."""
    words = found(edition.verdicts[subject][0]) if subject in edition.verdicts else ""
    return f"<p>{chip_of(subject, edition)} {plain_html(words)}</p>"


def says_html(claim: str) -> str:
    """The note's own sentence, with its reference."""
    return f'<p class="edition-says">The note: {own_html(catalogue.protocol()[claim].says)}.</p>'


def folded_html(subject: str, edition: Edition) -> str:
    """Part by part the numbers, then controls, scope and protocol, folded; no search finds them."""
    inside = protocol_html(subject)
    told = ["Protocol"] if inside else []
    if subject in edition.verdicts:
        told.insert(0, "Numbers")
        verdict, record = edition.verdicts[subject]
        revised = record["plans"].get(subject, {}).get("revised")
        lines = [
            *map(gate_sentence, verdict.gates),
            *verdict.beside,
            *_significance(verdict, edition),
            *([f"scope: {verdict.scope}"] if verdict.scope else []),
            *([f"the protocol was revised: {revised}"] if revised else []),
        ]
        inside = _parts_html(verdict.parts) + _list_html(lines) + inside
    if not inside:
        return ""
    summary = f"{' and '.join(told).capitalize()} of {plain_html(subject)}"
    return (
        '<details class="edition-fold" data-search-exclude>'
        f"<summary>{summary}</summary>{inside}</details>"
    )


def protocol_html(claim: str) -> str:
    """The claim's row of the protocol, as it was fixed before the run; empty for an erratum."""
    if claim not in catalogue.protocol():
        return ""
    row = catalogue.protocol()[claim]
    fields = {
        "The sentence states": QUANTIFIERS[row.quantifier] + ", judged anew" * row.anew,
        "Parts": row.parts,
        "Metric": row.metric,
        "δ": row.effect,
        "Controls": row.gate,
        "n, at least": "nothing is random" if row.n == "det" else row.n,
    }
    items = (f"<dt>{name}</dt><dd>{own_html(text)}</dd>" for name, text in fields.items())
    return f'<dl class="edition-protocol">{"".join(items)}</dl>'


def picture_html(picture: Picture, alternative: str, root: str = "../") -> str:
    """The picture, which is a link to its largest size; moving ones stand still on demand."""
    path = f"{root}{FOLDER}/{plain_html(link_target(picture.name))}"
    still = f"{path}-480.webp 480w, {path}-960.webp 960w"
    sizes = 'sizes="(min-width: 60em) 33rem, 92vw"'
    image = (
        f'alt="{plain_html(alternative)}" width="{picture.width}" height="{picture.height}" '
        'loading="lazy" decoding="async"'
    )
    if not picture.animated:
        shown = f'<img src="{path}-{SMALL}.webp" srcset="{still}" {sizes} {image}>'
    else:
        shown = (
            '<picture><source media="(prefers-reduced-motion: reduce)" '
            f'srcset="{still}" {sizes}><img src="{path}-moving.webp" {image}></picture>'
        )
    return f'<a class="edition-picture" href="{path}-1920.webp">{shown}</a>'


def alternative_text(record: Record, verdicts: Iterable[Verdict]) -> str:
    """What the picture says, in plain text: question, panels, figure of the notes, finding."""
    verdicts = tuple(verdicts)
    figures = [catalogue.figures()[id] for id in record["figures"] if id in catalogue.figures()]
    panels = {part.panel: part.text for verdict in verdicts for part in verdict.parts if part.panel}
    sentences = [record["question"]]
    sentences += [f"Panel {key}: {shorten(text, 100)}." for key, text in sorted(panels.items())[:3]]
    sentences += [f"Drawn after the notes' {figure.id}: {figure.shows}." for figure in figures[:1]]
    sentences += [f"{v.subject} {v.outcome}: {found(v, 200)}." for v in verdicts[:1]]
    return " ".join(filter(None, sentences)) or "The picture of a measurement."


def shorten(text: str, longest: int) -> str:
    """The text's first words, as many as fit."""
    return textwrap.shorten(text, longest, placeholder=" …")


def _significance(verdict: Verdict, edition: Edition) -> list[str]:
    q = edition.q.get(verdict.subject)
    if q is None or verdict.p is None:
        return []
    return [f"p {p_value(verdict.p)}, q {p_value(q)}" + ", over 0.05" * (q > Q)]


def _list_html(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{plain_html(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _parts_html(parts: Iterable[Part]) -> str:
    """Two rows a part, so that a phone has room: what was measured, and its numbers."""
    rows = "".join(map(_part_html, parts))
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("estimate", "95 % interval", "n", "δ", "claimed", "outcome")
    )
    table = f'<table class="edition-parts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
    return f"{table}</table>" if rows else ""


def _part_html(part: Part) -> str:
    panel = f"{part.panel}: " if part.panel else ""
    remark = f" ({part.remark})" if part.remark else ""
    ends = [] if part.low is None or part.high is None else [part.low, part.high]
    cells = (
        "" if part.estimate is None else number(part.estimate),
        f"[{', '.join(map(number, ends))}]" if ends else "",
        "" if part.n is None else part.n,
        ", ".join(map(number, part.sizes)),
        AT_LEAST.sub(SMALLER, part.claimed),
    )
    numbers = "".join(f"<td>{plain_html(cell)}</td>" for cell in cells)
    return (
        f'<tr><th colspan="6">{plain_html(panel + part.text + remark)}</th></tr>'
        f"<tr>{numbers}<td>{_short(part.outcome)}</td></tr>"
    )


def _short(outcome: Outcome) -> str:
    return f"{SIGNS[outcome]} {plain_html(outcome)}"
