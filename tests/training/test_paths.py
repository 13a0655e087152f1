"""Paths of runs and checkpoints: `~` is the home folder everywhere, addresses are refused."""

import pathlib

import numpy as np
import pytest

from jaxtricks.training import restore, save
from tests.training.test_fit_folder import run, same
from tests.untyped import untyped

TREE = {"w": np.arange(3.0)}
PLACES = {
    "save": lambda path: save(path, TREE, step=1),
    "restore": lambda path: restore(path, TREE),
    "fit": lambda path: run(1, path),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["gs://bucket/run", "s3://run", "http://host/run", "file:///run"])
def test_addresses_are_refused_by_name(place, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"folder must be a path of this machine, got '{path}'"):
        PLACES[place](path)
    with pytest.raises(ValueError, match="folder must be a path of this machine"):
        PLACES[place](pathlib.PurePosixPath(path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", [3, b"run", ["run"], object()])
def test_what_is_no_path_is_named(place, path):
    with untyped(), pytest.raises(TypeError, match="folder must be a path, got"):
        PLACES[place](path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["", "a\0b", "~nobody-of-this-name/run"])
def test_paths_that_lead_nowhere_are_named(place, path):
    with pytest.raises(ValueError, match="folder must be a path, got"):
        PLACES[place](path)


@pytest.mark.slow
def test_the_home_folder_is_meant_by_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert save("~/saved", TREE, step=1) == tmp_path / "home" / "saved" / "00000001"
    assert restore("~/saved", TREE).step == restore(pathlib.Path("~/saved"), TREE).step == 1
    run(1, "~/run")
    assert (tmp_path / "home" / "run" / "history.jsonl").exists()
    same(run(2, "~/run", resume=True), run(2))
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
