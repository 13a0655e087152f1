"""The small data set, written once."""

import pytest

from tests.data.tiny_set import write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder that holds it."""
    folder = tmp_path_factory.mktemp("tfds")
    write_tiny(folder)
    return folder
