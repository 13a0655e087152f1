"""The measured edition: what the generated pages are made of, read from a folder of records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.engine._ledger import by_subject, false_discovery, read_folder
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
    """Reads the records of a folder; of a file that is no record there is a line on stderr.

    Raises:
        ValueError: there is no file that could be one.
    """
    if not any(folder.glob("*.json")):
        raise ValueError(f"{folder} is no folder of records: no file in it ends with .json.")
    records = read_folder(folder, smoke=False)
    verdicts = by_subject(records)
    q = false_discovery(verdict for verdict, _ in verdicts.values())
    return Edition(tuple(records), verdicts, q, folder)
