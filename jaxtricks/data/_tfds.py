"""Finding data sets prepared by TensorFlow Datasets, and instructions for preparing one."""

import difflib
import importlib.util
import os
import re
from pathlib import Path

from jaxtricks._checks import check_instance
from jaxtricks._local_path import local_path

VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
PACKAGES = ("tensorflow_datasets", "PIL")


def check_name(name: object) -> None:
    """Checks the name of a data set, which is also the name of a file or folder.

    Raises:
        TypeError: the name is not a string.
        ValueError: as a path, the name could lead out of the data folder.
    """
    check_instance("name", name, str)
    parts = str(name).split("/")
    if any(part in ("", ".", "..") or set(part) & {"\\", ":", "\0"} for part in parts):
        raise ValueError(f"name must be that of a data set in the data folder, got {name!r}.")


def prepared_version(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    """Finds the newest prepared version of a data set, in a folder named like `1.0.0`.

    Raises:
        FileNotFoundError: there is no prepared version; the message shows the command to run.
    """
    if data_dir is None:
        folder = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
        root = local_path("TFDS_DATA_DIR", folder)
    else:
        root = local_path("data_dir", data_dir)
    versions = versions_below(root / name)
    if not versions:
        prepared = [path.parent.name for path in versions_below(root, "*/*.*.*")]
        alike = difflib.get_close_matches(name, ["digits", *prepared], n=1)
        hint = f": did you mean {alike[0]!r}?" if alike else "."
        exported = os.environ.get("JAXTRICKS_DATA_DIR")
        nor = f", nor is {name}.npz in {exported} (JAXTRICKS_DATA_DIR)" if exported else ""
        raise FileNotFoundError(
            f"{name} is not prepared in {root}{nor}{hint} If it is in another folder, set data_dir "
            f"or TFDS_DATA_DIR to that folder. {how_to_prepare(name, root)}"
        )
    return max(versions, key=lambda path: tuple(int(part) for part in path.name.split(".")))


def versions_below(folder: Path, pattern: str = "*.*.*") -> list[Path]:
    """Finds the folders of prepared versions."""
    files = folder.glob(f"{pattern}/dataset_info.json")
    return [file.parent for file in files if VERSION.fullmatch(file.parent.name)]


def how_to_prepare(name: str, root: Path) -> str:
    """Writes the instructions for downloading and preparing a data set."""
    return (
        "To download and prepare it, install jaxtricks[prepare] (which includes TensorFlow) and "
        "run once\n"
        f"python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}', "
        f"data_dir='{root}', file_format='array_record').download_and_prepare()\"\n"
        f"{how_to_carry(name)}"
    )


def how_to_carry(name: str) -> str:
    """Writes the instructions for copying a data set to a machine without TensorFlow Datasets."""
    return (
        "Or, on a machine where it is prepared, run\n"
        f"python -c \"from jaxtricks import data; data.export('{name}', 'FOLDER')\"\n"
        "copy FOLDER to this machine, and set JAXTRICKS_DATA_DIR to the copy; reading it needs "
        "only NumPy."
    )


def has_packages() -> bool:
    """Says whether the packages that read prepared data sets are installed."""
    return all(importlib.util.find_spec(package) for package in PACKAGES)
