"""The small data set, written once, and a cache of its own for each test."""

import pytest

from tests.data.tiny_set import write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder that holds it."""
    folder = tmp_path_factory.mktemp("tfds")
    write_tiny(folder)
    return folder


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """The folder where copies of decoded sets go, not yet made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jaxtricks"
