"""The description of a prepared data set, read from its JSON files without running code.

TensorFlow Datasets imports and runs every class that `features.json` names. This module instead
accepts one class of image feature and one of label feature, ignores the other features, and allows
a fixed list of placeholders in file names.
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
    """The image and label features of a data set of classified images.

    Attributes:
        shape: height, width and channels; None for a size that differs between images.
        classes: number of classes.
    """

    shape: tuple[int | None, ...]
    classes: int


class Files(NamedTuple):
    """The files of a data set and the number of records in each.

    Attributes:
        name: name of the data set.
        file_format: file format, such as `array_record`.
        splits: for each split, the template of its file names and the record count of each file.
    """

    name: str
    file_format: str
    splits: dict[str, tuple[str, list[int]]]


def read_json(file: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Raises:
        ValueError: the file cannot be read, or does not hold a JSON object.
    """
    try:
        tree = json.loads(read_regular(file, most=MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}. Prepare the data set again.") from error
    if not isinstance(tree, dict):
        raise ValueError(
            f"{file} is damaged: it must hold an object, got a {type(tree).__name__}. Prepare the "
            "data set again."
        )
    return tree


def read_features(name: str, directory: Path) -> Features:
    """Reads the shape of the images and the number of classes.

    Raises:
        ValueError: `features.json` is damaged, or the data set does not hold classified images.
    """
    file = directory / "features.json"
    tree = read_json(file)
    features = entry(file, tree, "featuresDict", "features")
    missing = {"image", "label"} - set(features)
    if missing:
        raise ValueError(
            f"{name} must be a data set of classified images, but has no {sorted(missing)}."
        )
    image, label = (entry(file, features, feature) for feature in ("image", "label"))
    kind, pixels = image.get("pythonClassName"), image.get("image")
    if kind != IMAGE or not isinstance(pixels, dict) or pixels.get("dtype") != "uint8":
        raise ValueError(f"{name} must have uint8 images, got the feature {shown(image)}.")
    kind, counts = label.get("pythonClassName"), label.get("classLabel")
    if kind != LABEL or not isinstance(counts, dict):
        raise ValueError(f"{name} must have one class per image, got the feature {shown(label)}.")
    sizes = entry(file, pixels, "shape").get("dimensions")
    shape = [integer(file, size) for size in sizes] if isinstance(sizes, list) else []
    classes = integer(file, counts.get("numClasses"))
    if len(shape) != 3 or 0 in shape or classes < 1:
        raise ValueError(
            f"{file} is damaged: the image shape is {shape}, the number of classes {classes}."
        )
    return Features(tuple(None if size < 0 else size for size in shape), classes)


def read_files(directory: Path) -> Files:
    """Reads the names of the files and the number of records in each.

    Raises:
        ValueError: `dataset_info.json` is damaged, or names files outside its folder.
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
            raise ValueError(
                f"{file} is damaged: shardLengths must be a list, got {shown(lengths)}."
            )
        found[split["name"]] = template, [integer(file, length, low=0) for length in lengths]
    return Files(str(name), str(file_format), found)


def check_names(file: Path, names: list[Any], template: Any) -> None:
    """Checks that every name and the template stay inside the data set's folder.

    Raises:
        ValueError: one of them may lead out of the folder.
    """
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[\w+-][\w.+-]{0,99}", name):
            raise ValueError(f"{file} is damaged: {shown(name)} is not allowed in a file name.")
    parts = rf"(?:[\w.+-]|\{{(?:{PLACEHOLDERS})\}}){{1,100}}"
    if (
        not isinstance(template, str)
        or not re.fullmatch(rf"{parts}(?:/{parts})*", template)
        or {".", ".."} & set(template.split("/"))
    ):
        raise ValueError(
            f"{file} is damaged: {shown(template)} is not a template of file names in its folder."
        )


def entry(file: Path, tree: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Finds the JSON object at a path of keys.

    Raises:
        ValueError: there is no object at the path.
    """
    inner: Any = tree
    for key in keys:
        inner = inner.get(key) if isinstance(inner, Mapping) else None
    if not isinstance(inner, dict):
        raise ValueError(f"{file} is damaged: it has no object {'.'.join(keys)}.")
    return inner


def integer(file: Path, value: Any, *, low: int = -1) -> int:
    """Converts an integer, which TFDS writes as text, from a JSON file.

    Raises:
        ValueError: the value is not an integer, is under `low`, or is 2^62 or more.
    """
    digits = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value)
    if not digits and type(value) is not int or not low <= int(value) < 2**62:
        raise ValueError(
            f"{file} is damaged: an integer of at least {low} is needed, got {shown(value)}."
        )
    return int(value)
