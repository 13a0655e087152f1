"""The site is built once, with the committed records, for all tests that look at it."""

import fcntl
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = """
import pathlib, sys
from experiments.site._build import build
build(*map(pathlib.Path, sys.argv[1:]))
"""


def build_site(records, folder):
    """Builds in a process of its own, as the command does, and returns the folder of the site."""
    pytest.importorskip("mkdocs", reason="the site is built by MkDocs: pip install '.[docs]'")
    pytest.importorskip("mkdocstrings", reason="the reference is made by mkdocstrings")
    site = folder / "site"
    subprocess.run(
        [sys.executable, "-c", BUILD, str(records), str(site)],
        cwd=ROOT,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
    )
    return site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built site; of several workers the first one builds it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            build_site(ROOT / "paper_figs", folder)
            (folder / "whole").touch()
    return folder / "site"
