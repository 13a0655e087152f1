"""The command that builds the site: what it refuses, what it keeps, and what it says of it."""

import http.server
import os
import subprocess
import sys

import pytest

from experiments.site import __main__ as command
from experiments.site import _place
from experiments.site._place import ROOT, TRACKED, check_place, taking_its_place

FILES = {"llms.txt": "# jaxtricks\n\nold", "index.html": "old"}


def fill(folder, files=FILES):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def no_build(monkeypatch):
    monkeypatch.setattr(command, "build_and_serve", lambda *_, **__: pytest.fail("it was built"))


def refused(out, capsys):
    """The one line that the command says of a place."""
    assert command.main(["--out", str(out)]) == command.WRONG_USE
    (line,) = capsys.readouterr().err.splitlines()
    assert "--out" in line and str(out) in line
    return line


@pytest.mark.parametrize(
    "files",
    [{"thesis.tex": ""}, {"llms.txt": "# another"}, {"llms.txt": "# jaxtricks\n", ".git": ""}],
    ids=["no site", "another's site", "a published branch"],
)
def test_a_folder_with_other_files_is_refused_and_kept(tmp_path, capsys, no_build, files):
    assert "neither empty nor an earlier site" in refused(fill(tmp_path / "a", files), capsys)
    assert content(tmp_path / "a") == files


@pytest.mark.parametrize(
    "out", ["", "build", "docs", "docs/new", "paper_figs/x/y", "tests", ".git/x", ".ci/site", ".."]
)
def test_the_repositorys_own_folders_are_refused(capsys, no_build, out):
    refused(out and (ROOT / out).resolve(), capsys)


def test_the_root_a_file_and_a_link_are_refused(tmp_path, capsys, no_build):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(ROOT / "docs")
    assert "is a file" in refused(tmp_path / "file", capsys)
    refused(ROOT, capsys)
    assert command.main(["--out", str(tmp_path / "link")]) == command.WRONG_USE


def test_every_tracked_folder_is_known():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("a copy without Git")
    tops = {name.split("/")[0] for name in listed.stdout.splitlines() if "/" in name}
    assert {name for name in tops if not name.startswith(".")} == set(TRACKED)


@pytest.mark.parametrize("earlier", [None, {}, FILES], ids=["new", "empty", "an earlier site"])
def test_a_whole_site_takes_its_place(tmp_path, earlier):
    site = tmp_path / "a/site" if earlier is None else fill(tmp_path / "a/site", earlier)
    with taking_its_place(site) as new:
        (new / "llms.txt").write_text("# jaxtricks\n\nnew")
    assert content(site) == {"llms.txt": "# jaxtricks\n\nnew"}
    assert os.listdir(tmp_path / "a") == ["site"]
    assert site.stat().st_mode & 0o777 == 0o755
    check_place(site)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_failed_build_costs_nothing(tmp_path, error):
    site = fill(tmp_path / "a/site")
    with pytest.raises(error), taking_its_place(site) as new:
        (new / "index.html").write_text("half")
        raise error
    assert content(site) == FILES and os.listdir(tmp_path / "a") == ["site"]


def test_what_comes_in_the_way_meanwhile_is_kept(tmp_path):
    with pytest.raises(ValueError, match="--out"), taking_its_place(tmp_path / "site"):
        fill(tmp_path / "site", {"mine": "mine"})
    assert content(tmp_path / "site") == {"mine": "mine"}


def test_a_swap_that_fails_half_way_is_undone(tmp_path, monkeypatch):
    site, rename = fill(tmp_path / "site"), _place.Path.rename

    def failing(path, target):
        if path.name == "new":
            raise OSError("no")
        rename(path, target)

    monkeypatch.setattr(_place.Path, "rename", failing)
    with pytest.raises(OSError, match="no"), taking_its_place(site):
        pass
    assert content(site) == FILES


def failed(capsys, *arguments):
    assert command.main(list(arguments)) == command.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_busy_port_is_told_before_the_build(tmp_path, capsys, monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        monkeypatch.setattr(command, "ADDRESS", server.server_address)
        line = failed(capsys, "--serve", "--out", str(tmp_path / "a"))
    assert f"--serve: 127.0.0.1:{server.server_port} cannot be had" in line


def test_a_place_that_cannot_be_written_is_told(tmp_path, capsys):
    pytest.importorskip("mkdocstrings", reason="the site is built by it")
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path / "file/site") in failed(capsys, "--out", str(tmp_path / "file/site"))


@pytest.mark.parametrize("value", ["", "yesterday", "1e9", "-1", "١", " 1", "4294967296", "9" * 30])
def test_a_time_that_is_none_is_told(tmp_path, capsys, monkeypatch, value):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    monkeypatch.setitem(sys.modules, "experiments.site._build", None)  # NumPy would fail by it
    line = failed(capsys, "--out", str(tmp_path / "a"))
    assert "SOURCE_DATE_EPOCH" in line and repr(value) in line


@pytest.mark.parametrize("package", ["mkdocs", "material", "mkdocstrings"])
def test_without_mkdocs_the_command_names_the_extra(tmp_path, capsys, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert "pip install '.[docs]'" in failed(capsys, "--out", str(tmp_path / "a"))


def test_help_needs_neither_jax_nor_mkdocs():
    code = (
        "import sys; sys.modules |= dict.fromkeys(('jax', 'mkdocs', 'PIL'))\n"
        "from experiments.site.__main__ import main; main(['--help'])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0 and "--serve" in shown.stdout


def test_an_interrupted_build_says_that_nothing_changed(tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "build_and_serve", interrupt)
    assert command.main(["--out", str(tmp_path / "a")]) == command.INTERRUPTED
    assert f"{tmp_path / 'a'} is as it was" in capsys.readouterr().err
