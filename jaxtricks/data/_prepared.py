"""Reading the records of a data set prepared by TensorFlow Datasets, without TensorFlow."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxtricks.data._description import Features, read_features, read_files
from jaxtricks.data._tfds import how_to_carry, how_to_prepare, prepared_version


class Prepared(NamedTuple):
    """A prepared data set of classified images.

    Attributes:
        name: name of the data set, as given by the caller.
        directory: folder of the prepared version.
        features: image shape and number of classes.
        splits: TFDS's `SplitDict`, which also accepts names such as `train[:90%]`.
    """

    name: str
    directory: Path
    features: Features
    splits: Any


def open_prepared(name: str, data_dir: str | os.PathLike[str] | None) -> Prepared:
    """Opens a prepared data set of classified images, without importing classes named in its files.

    Raises:
        ImportError: tensorflow-datasets or Pillow is not installed.
        FileNotFoundError: the data set is not prepared.
        ValueError: the data set is prepared in a format that only TensorFlow can read, does not
            hold classified images, or has a damaged description.
    """
    try:
        import PIL.Image  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"{name} needs tensorflow-datasets and pillow: install jaxtricks[data]. "
            f"{how_to_carry(name)}"
        ) from error
    directory = prepared_version(name, data_dir)
    files = read_files(directory)
    if files.file_format != "array_record":
        raise ValueError(
            f"{directory} is in the format {files.file_format}, which only TensorFlow reads. Move "
            "the folder away and prepare the data set again. "
            f"{how_to_prepare(name, directory.parents[name.count('/') + 1])}"
        )
    features = read_features(name, directory)
    splits = []
    for split, (template, lengths) in files.splits.items():
        names = tfds.core.ShardedFileTemplate(
            data_dir=directory,
            template=template,
            dataset_name=files.name,
            split=split,
            filetype_suffix=files.file_format,
        )
        splits.append(
            tfds.core.SplitInfo(
                name=split, shard_lengths=lengths, num_bytes=0, filename_template=names
            )
        )
    return Prepared(name, directory, features, tfds.core.SplitDict(splits))


class Records:
    """The serialized records of a split.

    Raises:
        ValueError: the split does not exist or is empty, or one of its files is missing or damaged.
    """

    def __init__(self, prepared: Prepared, split: str):
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        try:
            instructions = prepared.splits[split].file_instructions
        except (KeyError, ValueError, AssertionError) as error:
            raise ValueError(
                f"split must be one of {sorted(prepared.splits)} or a part of one, got {split!r}."
            ) from error
        if not instructions:
            raise ValueError(f"split must have examples, got {split!r} of {prepared.directory}.")
        for instruction in instructions:
            check_records(Path(instruction.filename), instruction.examples_in_shard)
        self._source = ArrayRecordDataSource(instructions)
        self._name = f"{prepared.directory}, {split}"

    def __len__(self) -> int:
        """Gives the number of records."""
        return len(self._source)

    def at(self, places: Sequence[int] | Int[np.ndarray, " n"]) -> list[bytes]:
        """Reads the records with the numbers `places`, in this order.

        Raises:
            ValueError: a file is damaged.
        """
        if not len(places):
            return []
        try:
            return list(self._source.__getitems__([int(place) for place in places]))
        except (RuntimeError, OSError) as error:  # array_record defines no exception class
            raise ValueError(f"{self._name}: a file is damaged: {error}") from error


def check_records(file: Path, expected: int) -> None:
    """Checks that a record file exists and holds the expected number of records.

    Raises:
        ValueError: the file is missing or damaged, or holds another number of records.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        if not file.is_file():
            raise OSError("it is missing or not a regular file")
        reader = ArrayRecordReader(os.fspath(file))
        found = reader.num_records()
        reader.close()
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if found != expected:
        raise ValueError(
            f"{file} is damaged: it has {found} records, but dataset_info.json says {expected}."
        )


def label_of(prepared: Prepared, record: bytes) -> int:
    """Extracts the class label from a serialized record.

    Raises:
        ValueError: the record does not hold exactly one label that is a class of the data set.
    """
    values = features_of(prepared, record)["label"].int64_list.value
    if len(values) != 1 or not 0 <= values[0] < prepared.features.classes:
        raise ValueError(
            f"{prepared.directory} is damaged: a label must be one number under the "
            f"{prepared.features.classes} classes, got {list(values)[:3]}."
        )
    return values[0]


def image_of(prepared: Prepared, record: bytes) -> bytes:
    """Extracts the encoded image from a serialized record.

    Raises:
        ValueError: the record does not hold exactly one image.
    """
    values = features_of(prepared, record)["image"].bytes_list.value
    if len(values) != 1:
        raise ValueError(f"{prepared.directory} is damaged: a record has {len(values)} images.")
    return values[0]


def features_of(prepared: Prepared, record: bytes) -> Mapping[str, Any]:
    """Parses a serialized `tf.train.Example`, using TFDS's copy of its definition.

    Raises:
        ValueError: the record cannot be parsed.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_datasets.proto import tf_example_pb2

    proto: Any = tf_example_pb2  # its classes are created at run time, unseen by type checkers
    try:
        return proto.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError(f"{prepared.directory} is damaged: {error}") from error
