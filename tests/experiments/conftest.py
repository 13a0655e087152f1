"""Experiments are tested on the bundled digits: quick, and the same on every machine."""

import pathlib

import pytest


@pytest.fixture(autouse=True)
def _no_prepared_data(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing"))
    monkeypatch.delenv("JAXTRICKS_DATA_DIR", raising=False)


@pytest.fixture(scope="session")
def judging():
    """The page on how claims are judged."""
    return (pathlib.Path(__file__).parents[2] / "docs" / "judging.md").read_text("utf-8")
