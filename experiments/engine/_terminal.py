"""What the command line shows: the list of scripts, the time left, the verdicts and their tally.

A terminal gets colours (unless `NO_COLOR` is set) and one line that is written anew in place; a
file or a pipe gets plain lines. Texts of records are made printable before they are shown.
"""

import itertools
import os
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, get_args

from experiments import catalogue
from experiments.engine._attempts import Attempt
from experiments.engine._freeze import record_path
from experiments.engine._judged import stands
from experiments.engine._results import check_record, read_verdict
from experiments.engine._script import Script
from experiments.engine._sentences import finding
from experiments.engine._verdict import Verdict, VerdictOutcome
from experiments.files import read_json
from experiments.markup import printable

TOO_SMALL = "too small to judge"
SIGNS = {"confirmed": "✓", "refuted": "✗", "no difference": "=", "undecided": "?"}
NO_SIGN = "·"
COLOURS = {
    "confirmed": 29,
    "refuted": 166,
    "no difference": 166,
    "undecided": 244,
}  # of xterm's 256
NARROWEST = 24  # columns for a sentence, however narrow the terminal is
ERASE_LINE = "\r\x1b[K"

Record = dict[str, Any]
Done = Sequence[tuple[Script, Attempt]]


def recorded(script: Script, folder: Path) -> Record | None:
    """The script's record as the file has it; None if there is none, or none that can be judged."""
    path = record_path(script, folder)
    try:
        record = read_json(path)
        check_record(record)
    except (ValueError, OverflowError, RecursionError):
        return None
    verdicts = map(read_verdict, record["verdicts"])
    ours = record["script"] == script.name
    return record if ours and all(stands(v, record["plans"]) for v in verdicts) else None


def sentence(subject: str) -> str:
    """What is claimed, or the right form of what is misprinted; empty of a published result."""
    if subject in catalogue.claims():
        return catalogue.claims()[subject].text
    return catalogue.errata()[subject].right if subject in catalogue.errata() else ""


def measured(verdict: Verdict) -> str:
    """The finding without its id and its outcome, which stand beside it."""
    words = printable(finding(verdict))
    return words.removeprefix(f"{printable(verdict.subject)} {verdict.outcome}").lstrip(",: ")


# The time left


def seconds_left(
    waiting: Iterable[Script], seconds: Mapping[str, float], ratio: float, jobs: int
) -> float:
    """How long scripts take that run `jobs` at a time, by their seconds elsewhere times `ratio`.

    Those that must run alone add up, and the others take as long as the longest of them at least.
    """
    waiting = [script for script in waiting if script.name in seconds]
    alone = sum(seconds[script.name] for script in waiting if script.alone)
    others = [seconds[script.name] for script in waiting if not script.alone]
    return ratio * (alone + max(sum(others) / jobs, max(others, default=0.0)))


def measured_ratio(ended: Mapping[str, float], seconds: Mapping[str, float]) -> float:
    """How many times as long as recorded the scripts took that have ended; 1 if nothing says so."""
    known = ended.keys() & seconds.keys()
    expected = sum(seconds[name] for name in known)
    return sum(ended[name] for name in known) / expected if expected > 0 else 1.0


def duration(seconds: float) -> str:
    """In the unit that a person would use: "45 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class Progress:
    """A line for each script that has ended, and the time that the others will take.

    Args:
        scripts: all that are run.
        seconds: what each took when it was recorded, by name.
        jobs: how many run at a time.
        stream: where the lines go.
    """

    def __init__(
        self, scripts: Sequence[Script], seconds: Mapping[str, float], jobs: int, stream: TextIO
    ):
        self.scripts, self.seconds, self.jobs, self.stream = scripts, seconds, jobs, stream
        self.ended: dict[str, float | None] = {}

    def left(self) -> str:
        """As in "about 12 min left, besides 2 new scripts", which no record knows."""
        waiting = [script for script in self.scripts if script.name not in self.ended]
        took = {name: s for name, s in self.ended.items() if s is not None}
        ratio = measured_ratio(took, self.seconds)
        words = f"about {duration(seconds_left(waiting, self.seconds, ratio, self.jobs))} left"
        unknown = sum(script.name not in self.seconds for script in waiting)
        if unknown == len(waiting):
            return f"{counted(unknown, 'script')} left" if unknown else ""
        return words + f", besides {counted(unknown, 'new script')}" * bool(unknown)

    def start(self) -> None:
        print(f"{counted(len(self.scripts), 'script')} ...", file=self.stream, flush=True)
        self._show_left()

    def tell(self, script: Script, tried: Attempt) -> None:
        """A line about a script that has ended."""
        self.ended[script.name] = tried.seconds
        total = len(self.scripts)
        line = f"[{len(self.ended):{len(str(total))}}/{total}] {script.name} {tried.line}"
        line += f" -> {tried.picture}" if tried.picture else ""
        left = self.left()
        after = f" ({left})" if left and not self.stream.isatty() else ""
        before = ERASE_LINE if self.stream.isatty() else ""
        print(before + printable(line) + after, file=self.stream, flush=True)
        self._show_left()

    def end(self) -> None:
        """Erases the line that was written anew."""
        if self.stream.isatty():
            print(ERASE_LINE, end="", file=self.stream, flush=True)

    def _show_left(self) -> None:
        if self.stream.isatty():
            shown = self.left()[: shutil.get_terminal_size().columns - 1]
            print(ERASE_LINE + shown, end="", file=self.stream, flush=True)


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + "s" * (number != 1)


# The verdicts


def verdicts_of(done: Done, out: Path) -> Iterator[tuple[Verdict, bool]]:
    """Of the scripts that did not fail: each verdict of the record, and whether it is too small."""
    for script, tried in done:
        record = None if tried.failed else recorded(script, out)
        for row in record["verdicts"] if record else ():
            yield read_verdict(row), record["preset"] == "smoke"  # type: ignore


def verdict_table(verdicts: Sequence[tuple[Verdict, bool]], stream: TextIO) -> str:
    """Sign, outcome, id and sentence of each verdict, and below these what was measured."""
    shown = [TOO_SMALL if small else verdict.outcome for verdict, small in verdicts]
    space = max(map(len, shown), default=0)
    lines = []
    for (verdict, _), outcome in zip(verdicts, shown, strict=True):
        told = sentence(verdict.subject)
        name, told = (verdict.subject, told) if told else ("", printable(verdict.subject))
        sign = SIGNS.get(outcome, NO_SIGN)
        head = f"{sign} {outcome:<{space}}"
        before = f"{head}  {name:<5}  "
        width = max(NARROWEST, columns() - len(before))
        rows = textwrap.wrap(told, width) + textwrap.wrap(measured(verdict), width)
        first, *others = rows or [""]
        lines.append(painted(head, outcome, stream) + before[len(head) :] + first)
        lines += [" " * len(before) + row for row in others]
    return "\n".join(lines)


def columns() -> int:
    return shutil.get_terminal_size().columns


def painted(text: str, outcome: str, stream: TextIO) -> str:
    """In the outcome's colour, if the stream is a terminal and `NO_COLOR` does not forbid it."""
    plain = not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or outcome not in COLOURS:
        return text
    return f"\x1b[38;5;{COLOURS[outcome]}m{text}\x1b[0m"


def tally(verdicts: Iterable[tuple[Verdict, bool]]) -> dict[str, int]:
    """How many verdicts have each outcome; smoke runs are left out."""
    found = Counter(verdict.outcome for verdict, small in verdicts if not small)
    return {outcome: found[outcome] for outcome in get_args(VerdictOutcome) if found[outcome]}


def tally_line(counts: Mapping[str, int], failed: int) -> str:
    """For instance "12 confirmed, 5 refuted, 3 undecided; 2 scripts failed"."""
    words = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no verdicts"
    return words + f"; {counted(failed, 'script')} failed" * bool(failed)


# The list


def list_lines(scripts: Iterable[Script], committed: Path) -> Iterator[str]:
    """Each topic and its scripts: what they own, the outcomes, tier, seconds and data set."""
    for topic, group in itertools.groupby(scripts, lambda script: script.name.split("/")[0]):
        yield topic
        for script in group:
            record = recorded(script, committed)
            outcomes = {v["subject"]: v["outcome"] for v in record["verdicts"]} if record else {}
            small = f" ({TOO_SMALL})" * bool(record and record["preset"] == "smoke")
            owned = [
                f"{name} {outcomes[name]}{small}" if name in outcomes else name
                for name in (*script.subjects, *script.references)
            ]
            about = f"{record['wall_seconds']} s, {record['data_set']}" if record else "no record"
            yield printable(f"  {script.stem:55} {', '.join(owned)}")
            yield printable(f"      {script.question} (tier {script.tier}, {about})")
