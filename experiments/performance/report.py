"""Writes the page of measured costs from the JSON files that the other scripts left.

    python -m experiments.performance.report paper_figs/performance

The page begins with what the tables found. What `experiments.performance.device` left in a folder
of that folder follows at the end. A file
that is missing, torn or not ours costs its own section, with a line that names it.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from experiments.files import read_json, write_atomically
from experiments.markup import map_strings, plain_markdown, printable
from experiments.performance import _sections as sections
from experiments.performance._findings import FINDINGS
from experiments.performance.device._records import NAME, read_records

TITLE = "# What it costs"
SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "update_rules": sections.rules_section,
    "regularizers": sections.regularizers_section,
    "trajectories": sections.trajectories_section,
    "epochs": sections.epochs_section,
    "random_search": sections.search_section,
    "conv_steps": partial(sections.conv_section, "A convolutional step"),
    "conv_scans": partial(sections.conv_section, "A convolutional step inside a loop"),
    "streams": sections.streams_section,
    "imports": sections.imports_section,
}
NOT_AS_WRITTEN = (LookupError, TypeError, ValueError, AttributeError, RecursionError, StopIteration)


def section(
    path: Path, read: Callable[[Path], Any], *writers: Callable[[dict[str, Any]], str]
) -> list[str]:
    """What each writer makes of one file, such as a section.

    It is nothing, and there is a line on stderr, if the file is not as we write it.
    """
    try:
        record = map_strings(plain_markdown, read(path))
        return [write(record) for write in writers]
    except NOT_AS_WRITTEN as error:
        why = str(error) if str(path) in str(error) else f"{path}: {error!r}"
        print(f"warning: left out of the page: {printable(why)}", file=sys.stderr)
        return []


def page(folder: Path) -> str:
    """The whole page in Markdown."""
    found, parts = [], []
    for name, write in SECTIONS.items():
        tell = [FINDINGS[name]] if name in FINDINGS else []
        *told, text = section(folder / f"{name}.json", read_json, *tell, write) or [""]
        found += [f"- {sentence}" for sentence in told]
        parts += [text] if text else []
    for path in sorted(folder.glob(f"*/{NAME}")):
        parts += section(path, read_records, sections.device_section)
    made = (
        "Times are medians. This page is written by `python -m experiments.performance.report` "
        f"from the records in `{folder.name}/`.\n"
    )
    return "\n".join([f"{TITLE}\n", *found, *([""] if found else []), made, *parts])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m experiments.performance.report")
    parser.add_argument("folder", type=Path, help="of the JSON files; the page goes beside it")
    folder = parser.parse_args(arguments).folder
    target = folder.with_suffix(".md")
    if target.exists() and not target.read_bytes().startswith(TITLE.encode()):
        parser.error(f"{target} is no page of ours and would be overwritten")
    write_atomically(target, page(folder).encode())


if __name__ == "__main__":
    main()
