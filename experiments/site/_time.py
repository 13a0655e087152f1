"""The time that the pages are dated with, so that the same sources give the same bytes."""

import os
import re
import subprocess

from experiments.site._place import ROOT

NAME = "SOURCE_DATE_EPOCH"
EPOCH = "1700000000"  # of a copy without Git
SECONDS = re.compile("[0-9]{1,10}")
LATEST = 2**32 - 1  # that gzip can hold


def set_build_time() -> None:
    """Sets SOURCE_DATE_EPOCH to the last commit's seconds, unless it has a value.

    Raises:
        ValueError: its value is no number of seconds.
    """
    told = os.environ.setdefault(NAME, _last_commit())
    if not SECONDS.fullmatch(told) or int(told) > LATEST:
        raise ValueError(f"{NAME} must be seconds from 0 to {LATEST}, got {told!r}.")


def _last_commit() -> str:
    command = ("git", "log", "-1", "--format=%ct")
    try:
        return subprocess.check_output(command, cwd=ROOT, text=True).strip() or EPOCH
    except (OSError, subprocess.CalledProcessError):
        return EPOCH
