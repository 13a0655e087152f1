"""What the JSON files of a prepared data set say, read as data alone.

TensorFlow Datasets imports whatever class `features.json` names, and runs it. Here the two features
that are read are built from a closed list, the others are not looked at, and the names of files are
made from a closed list of placeholders.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxtricks._checks import shown
from jaxtricks._regular_file import read_regular

MAX_JSON_BYTES = 2**26
FEATURES = "tensorflow_datasets.core.features"
IMAGE, LABEL = f"{FEATURES}.image_feature.Image", f"{FEATURES}.class_label_feature.ClassLabel"
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
PLACEHOLDERS = "DATASET|SPLIT|FILEFORMAT|SHARD_INDEX|NUM_SHARDS|SHARD_X_OF_Y"


class Features(NamedTuple):
    """The two features of classified images.

    Attributes:
        shape: height, width and channels, None where they differ.
        classes: how many there are.
    """

    shape: tuple[int | None, ...]
    classes: int


class Files(NamedTuple):
    """How the records of a data set lie in files.

    Attributes:
        name: of the data set.
        file_format: such as `array_record`.
        splits: the template of the files' names and the number of records in each, by split.
    """

    name: str
    file_format: str
    splits: dict[str, tuple[str, list[int]]]


def read_json(file: Path) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        ValueError: the file cannot be read, or is torn.
    """
    try:
        tree = json.loads(read_regular(file, most=MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}. Prepare the data set again.") from error
    if not isinstance(tree, dict):
        raise ValueError(f"{file} is damaged: it holds no object. Prepare the data set again.")
    return tree


def read_features(name: str, directory: Path) -> Features:
    """The shape of the images and the number of classes.

    Raises:
        ValueError: `features.json` is damaged, or the data are no images with classes.
    """
    file = directory / "features.json"
    tree = read_json(file)
    features = entry(file, tree, "featuresDict", "features")
    missing = {"image", "label"} - set(features)
    if missing:
        raise ValueError(
            f"{name} must be a set of classified images, but has no {sorted(missing)}."
        )
    image, label = (entry(file, features, feature) for feature in ("image", "label"))
    kind, pixels = image.get("pythonClassName"), image.get("image")
    if kind != IMAGE or not isinstance(pixels, dict) or pixels.get("dtype") != "uint8":
        raise ValueError(f"{name} must have uint8 images, its feature image is {shown(image)}.")
    kind, counts = label.get("pythonClassName"), label.get("classLabel")
    if kind != LABEL or not isinstance(counts, dict):
        raise ValueError(
            f"{name} must have one class per image, its feature label is {shown(label)}."
        )
    sizes = entry(file, pixels, "shape").get("dimensions")
    shape = [integer(file, size) for size in sizes] if isinstance(sizes, list) else []
    classes = integer(file, counts.get("numClasses"))
    if len(shape) != 3 or 0 in shape or classes < 1:
        raise ValueError(f"{file} is damaged: images are {shape} in {classes} classes.")
    return Features(tuple(None if size < 0 else size for size in shape), classes)


def read_files(directory: Path) -> Files:
    """The names and lengths of the files.

    Raises:
        ValueError: `dataset_info.json` is damaged, or names files outside of the folder.
    """
    file = directory / "dataset_info.json"
    tree = read_json(file)
    name, file_format, splits = (tree.get(key) for key in ("name", "fileFormat", "splits"))
    if not isinstance(splits, list) or not all(isinstance(split, dict) for split in splits):
        raise ValueError(f"{file} is damaged: it has no list of splits.")
    found = {}
    for split in splits:
        template = split.get("filepathTemplate") or TEMPLATE
        lengths = split.get("shardLengths", [])
        check_names(file, [name, file_format, split.get("name")], template)
        if not isinstance(lengths, list):
            raise ValueError(f"{file} is damaged: the lengths of a split are {shown(lengths)}.")
        found[split["name"]] = template, [integer(file, length, low=0) for length in lengths]
    return Files(str(name), str(file_format), found)


def check_names(file: Path, names: list[Any], template: Any) -> None:
    """Checks that no name leads out of the folder.

    Raises:
        ValueError: one may.
    """
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[\w+-][\w.+-]{0,99}", name):
            raise ValueError(f"{file} is damaged: {shown(name)} is no part of a file's name.")
    parts = rf"(?:[\w.+-]|\{{(?:{PLACEHOLDERS})\}}){{1,100}}"
    if (
        not isinstance(template, str)
        or not re.fullmatch(rf"{parts}(?:/{parts})*", template)
        or {".", ".."} & set(template.split("/"))
    ):
        raise ValueError(f"{file} is damaged: {shown(template)} leads out of the folder.")


def entry(file: Path, tree: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """The object under some keys.

    Raises:
        ValueError: there is none.
    """
    inner: Any = tree
    for key in keys:
        inner = inner.get(key) if isinstance(inner, Mapping) else None
    if not isinstance(inner, dict):
        raise ValueError(f"{file} is damaged: it has no {'.'.join(keys)}.")
    return inner


def integer(file: Path, value: Any, *, low: int = -1) -> int:
    """A whole number, which JSON of this kind has as text.

    Raises:
        ValueError: it is none, too small, or larger than any count of TFDS.
    """
    digits = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value)
    if not digits and type(value) is not int or not low <= int(value) < 2**62:
        raise ValueError(f"{file} is damaged: {shown(value)} is no number from {low}.")
    return int(value)
