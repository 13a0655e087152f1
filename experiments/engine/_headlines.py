"""The findings that README and the site open with: their words are listed, their numbers recorded.

Words are written for one outcome of one part. A claim whose record says anything else is passed
over, so that no sentence can outlive its number.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from experiments import catalogue
from experiments.engine._part import Outcome, Part
from experiments.engine._verdict import Verdict
from experiments.files import write_atomically
from experiments.markup import link_target, plain_markdown

Verdicts = Mapping[str, tuple[Verdict, Mapping[str, Any]]]
START, END = "<!-- findings -->", "<!-- /findings -->"
SHOWN = 3


@dataclass(frozen=True)
class Headline:
    """Plain words for one outcome of a claim.

    Attributes:
        claim: its id.
        outcome: of the claim, and of the part; of any other outcome the words would not be true.
        part: the text of the part that the sentence tells; its whole interval lies above 0.
        title: the finding in a few words.
        words: the sentence; `{measured}` is the number with its interval.
    """

    claim: str
    outcome: Outcome
    part: str
    title: str
    words: str


HEADLINES = (
    Headline(
        "C-067",
        "refuted",
        "55000 images: test error with dropout minus without, points",
        "Dropout can cost accuracy",
        "A network that has 55,000 images to learn from makes more errors with dropout than "
        "without: {measured} points more of the test images are wrong.",
    ),
    Headline(
        "C-106",
        "confirmed",
        "octaves by which batch norm raises the largest usable rate",
        "Batch norm permits larger learning rates",
        "Batch norm raises the largest learning rate that still trains by {measured} octaves; "
        "an octave is a factor of two.",
    ),
    Headline(
        "C-093",
        "refuted",
        "log10 of the gradient's rms at layer 1 over that at layer 10",
        "Large first weights do not stop the gradient",
        "With weights drawn from N(0, 1) the gradient does not vanish: it grows by {measured} "
        "powers of ten from the tenth tanh layer back to the first.",
    ),
    Headline(
        "C-037",
        "confirmed",
        "octaves by which correction raises the largest usable rate",
        "Adam needs its bias correction",
        "Correcting the bias of Adam's averages raises the largest learning rate that still trains "
        "by {measured} octaves; an octave is a factor of two.",
    ),
)


@dataclass(frozen=True)
class Finding:
    """A headline, and the record that it is told of.

    Attributes:
        headline: the words.
        part: the numbers.
        record: whose verdict and picture they are.
    """

    headline: Headline
    part: Part
    record: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """The words with the number and its 95 % interval."""
        measured = self.part.measured.removeprefix(f"{self.part.text}: ")
        return self.headline.words.format(measured=measured)

    @property
    def question(self) -> str:
        """Name of the record's file and of its card in the gallery."""
        return self.record["script"].split("/")[-1]


def tally(verdicts: Verdicts) -> str:
    """How many claims are judged, and with which outcomes."""
    claims = catalogue.claims()
    counts = Counter(
        verdict.outcome for verdict, _ in verdicts.values() if verdict.subject in claims
    )
    judged = sum(counts[outcome] for outcome in get_args(Outcome))
    return (
        f"Of the {len(claims)} claims of the notes {judged} are judged so far: "
        f"{counts['confirmed']} confirmed, {counts['refuted']} refuted, "
        f"{counts['no difference']} without a difference and {counts['undecided']} undecided."
    )


def findings(verdicts: Verdicts) -> list[Finding]:
    """The first headlines whose records say what the words say, three at most.

    An outcome that depends on the smallest effect that matters is passed over too, and so is a
    smoke run.
    """
    found = []
    for headline in HEADLINES:
        if headline.claim not in verdicts:
            continue
        verdict, record = verdicts[headline.claim]
        sure = verdict.outcome == headline.outcome and not verdict.depends
        for part in verdict.parts if sure and record["preset"] != "smoke" else ():
            told = part.text == headline.part and part.outcome == headline.outcome
            if told and part.low is not None and part.low > 0:
                found.append(Finding(headline, part, record))
    return found[:SHOWN]


def headlines(verdicts: Verdicts, folder: str) -> str:
    """Tally and findings in Markdown; `folder` is where the pictures lie."""
    lines = [tally(verdicts), ""]
    for finding in findings(verdicts):
        claim = catalogue.claims()[finding.headline.claim]
        suffix = ".gif" if finding.record["animated"] else ".png"
        picture = f"{folder}/{link_target(finding.question + suffix)}"
        lines.append(
            f"- **{finding.headline.title}.** {finding.sentence} "
            f"Claim {claim.id}, *{claim.text}*, is {finding.headline.outcome} "
            f"([picture]({picture}), data: {plain_markdown(finding.record['data_set'])})."
        )
    return "\n".join(lines)


def with_headlines(text: str, told: str) -> str:
    """The page with `told` between its two markers.

    Raises:
        ValueError: it does not have both markers once, in their order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in before + after:
        raise ValueError(f"a page with findings has {START} and {END} once each, in this order.")
    return f"{before}{START}\n{told}\n{END}{after}"


def write_headlines(verdicts: Verdicts, page: Path, folder: str) -> None:
    """Puts tally and findings between the markers of `page`, beside which `folder` lies.

    Raises:
        ValueError: the page is no text, or lacks the markers.
    """
    try:
        text = with_headlines(page.read_text("utf-8"), headlines(verdicts, folder))
    except ValueError as error:
        raise ValueError(f"{page.name} cannot take the findings: {error}") from error
    write_atomically(page, text.encode())
