"""Rooms import only rooms to their left, and importing the library loads nothing heavy."""

import ast
import pathlib
import subprocess
import sys

import pytest

import jaxtricks

ROOT = pathlib.Path(jaxtricks.__file__).parent
ORDER = [
    {path.stem for path in ROOT.glob("_[!_]*.py")},
    {"schedules", "initializers", "control"},
    {"optimizers"},
    {"surfaces", "regularizers", "normalization", "augment"},
    {"models", "data", "averaging", "probes"},
    {"training"},
    {"tuning", "transfer", "presets"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
HEAVY = (
    "tensorflow", "tensorflow_datasets", "matplotlib", "orbax", "grain", "sklearn", "torch", "PIL"
)  # fmt: skip


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.slow
def test_rooms_import_only_rooms_to_their_left():
    for path in ROOT.rglob("*/*.py"):
        room = path.relative_to(ROOT).parts[0]
        for module in imported_modules(path):
            if module.startswith("jaxtricks."):
                other = module.split(".")[1]
                assert other == room or RANK[other] < RANK[room], f"{path.name} imports {module}"


def test_rooms_import_only_public_names_of_other_rooms():
    for path in ROOT.rglob("*/*.py"):
        room = path.relative_to(ROOT).parts[0]
        for module in imported_modules(path):
            parts = module.split(".")
            if parts[0] == "jaxtricks" and parts[1:2] != [room]:
                assert not any(part.startswith("_") for part in parts[2:]), f"{path}: {module}"


def test_the_library_never_imports_matplotlib_tensorflow_or_experiments():
    for path in ROOT.rglob("*.py"):
        tops = {module.split(".")[0] for module in imported_modules(path)}
        assert not tops & {"matplotlib", "tensorflow", "experiments", "tests", "torch", "keras"}


def test_importing_jaxtricks_loads_nothing_heavy_and_brings_every_room():
    code = f"import jaxtricks, sys; print([m for m in {HEAVY} if m in sys.modules], dir(jaxtricks))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded, _, names = done.stdout.partition("] ")
    assert loaded == "[", done.stdout + done.stderr
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert all(f"'{room}'" in names for room in rooms)


def test_one_trick_per_file_and_files_stay_short():
    for path in ROOT.rglob("*.py"):
        assert path.stem.strip("_") not in {"utils", "common", "helpers", "misc", "base"}, path
        assert len(path.read_text().splitlines()) <= 250, path
