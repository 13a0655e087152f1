"""What `--json` prints: the list of scripts, or what came of a run, for other programs.

Texts of records are made printable, as in a terminal; numbers and outcomes are the records' own.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.engine._results import read_verdict
from experiments.engine._script import Script
from experiments.engine._sentences import finding
from experiments.engine._terminal import Done, Record, recorded, sentence, tally, verdicts_of
from experiments.markup import map_strings, printable


def list_document(scripts: Iterable[Script], committed: Path) -> list[dict[str, Any]]:
    """What `--list --json` prints: each script, and the summary of its committed record."""
    owned = ("name", "question", "tier", "figures", "claims", "errata", "references")
    return [
        {key: getattr(script, key) for key in owned}
        | {"topic": script.name.split("/")[0], "record": summary(recorded(script, committed))}
        for script in scripts
    ]


def run_document(done: Done, out: Path) -> dict[str, Any]:
    """What a run with `--json` prints at its end."""
    scripts = [
        {
            "name": script.name,
            "status": "failed" if tried.failed else "done" if tried.picture else "kept",
            "message": printable(tried.line),
            "seconds": tried.seconds,
            "picture": str(tried.picture) if tried.picture else None,
            "record": None if tried.failed else summary(recorded(script, out)),
        }
        for script, tried in done
    ]
    return {"out": str(out), "scripts": scripts, "tally": tally(verdicts_of(done, out))}


def summary(record: Record | None) -> dict[str, Any] | None:
    """What other programs may want of a record: how it was run, and its verdicts."""
    if record is None:
        return None
    keys = ("preset", "wall_seconds", "data_set", "device")
    verdicts = []
    for verdict in map(read_verdict, record["verdicts"]):
        row = {"sentence": sentence(verdict.subject), "finding": finding(verdict)}
        row |= {"too_small": record["preset"] == "smoke"}
        verdicts.append(dataclasses.asdict(verdict) | row)
    return map_strings(printable, {key: record[key] for key in keys} | {"verdicts": verdicts})  # type: ignore
