"""The measured edition: what the generated pages are made of, read from a folder of records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.engine._ledger import false_discovery, read_folder
from experiments.engine._results import read_verdict
from experiments.engine._verdict import Verdict

Record = dict[str, Any]


@dataclass(frozen=True)
class Edition:
    """Records that count, and their verdicts. Smoke runs never count.

    Attributes:
        records: by script name.
        verdicts: by claim, erratum or published result, each with the record that it stands in.
        q: false discovery rate of each verdict in which something is random.
        folder: where the records and their pictures lie.
    """

    records: tuple[Record, ...]
    verdicts: dict[str, tuple[Verdict, Record]]
    q: dict[str, float]
    folder: Path


def read_edition(folder: Path) -> Edition:
    """Reads the records of a folder; of a file that is no record there is a line on stderr."""
    records = tuple(record for record in read_folder(folder) if record["preset"] != "smoke")
    verdicts = {
        verdict.subject: (verdict, record)
        for record in records
        for verdict in map(read_verdict, record["verdicts"])
    }
    q = false_discovery(verdict for verdict, _ in verdicts.values())
    return Edition(records, verdicts, q, folder)
