"""The records of image classes prepared by TensorFlow Datasets, read without TensorFlow."""

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
        name: as it was asked for.
        directory: of the version.
        features: what a record holds.
        splits: TFDS's split information by name, which also understands `train[:90%]`.
    """

    name: str
    directory: Path
    features: Features
    splits: Any


def open_prepared(name: str, data_dir: str | os.PathLike[str] | None) -> Prepared:
    """Opens a prepared data set of classified images; no class that its files name is imported.

    Raises:
        ImportError: tensorflow-datasets or Pillow is not installed.
        FileNotFoundError: the data set is not prepared.
        ValueError: it is prepared in a format only TensorFlow reads, has no images with classes, or
            its description is damaged.
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
            f"it away. {how_to_prepare(name, directory.parents[name.count('/') + 1])}"
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
        ValueError: a file of it is missing or damaged, or there is no such split or none in it.
    """

    def __init__(self, prepared: Prepared, split: str):
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        try:
            instructions = prepared.splits[split].file_instructions
        except (KeyError, ValueError, AssertionError) as error:
            raise ValueError(
                f"split must be of {sorted(prepared.splits)}, whole or in part, got {split!r}."
            ) from error
        if not instructions:
            raise ValueError(f"split must have examples, got {split!r} of {prepared.directory}.")
        for instruction in instructions:
            check_records(Path(instruction.filename), instruction.examples_in_shard)
        self._source = ArrayRecordDataSource(instructions)
        self._name = f"{prepared.directory}, {split}"

    def __len__(self) -> int:
        """The number of records."""
        return len(self._source)

    def at(self, places: Sequence[int] | Int[np.ndarray, " n"]) -> list[bytes]:
        """The records of some numbers, in their order.

        Raises:
            ValueError: a file is damaged.
        """
        if not len(places):
            return []
        try:
            return list(self._source.__getitems__([int(place) for place in places]))
        except (RuntimeError, OSError) as error:  # array_record has no errors of its own
            raise ValueError(f"{self._name}: a file is damaged: {error}") from error


def check_records(file: Path, expected: int) -> None:
    """Checks that a file is one, and holds as many records as its description says.

    Raises:
        ValueError: it does not.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        if not file.is_file():
            raise OSError("it is missing or no regular file")
        reader = ArrayRecordReader(os.fspath(file))
        found = reader.num_records()
        reader.close()
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if found != expected:
        raise ValueError(
            f"{file} is damaged: it has {found} records, dataset_info.json says {expected}."
        )


def label_of(prepared: Prepared, record: bytes) -> int:
    """The class in a serialized record.

    Raises:
        ValueError: there is none, or it is not one of the data set's classes.
    """
    values = features_of(prepared, record)["label"].int64_list.value
    if len(values) != 1 or not 0 <= values[0] < prepared.features.classes:
        raise ValueError(
            f"{prepared.directory} is damaged: a label must be one number under the "
            f"{prepared.features.classes} classes, got {list(values)[:3]}."
        )
    return values[0]


def image_of(prepared: Prepared, record: bytes) -> bytes:
    """The encoded image in a serialized record.

    Raises:
        ValueError: there is none.
    """
    values = features_of(prepared, record)["image"].bytes_list.value
    if len(values) != 1:
        raise ValueError(f"{prepared.directory} is damaged: a record has {len(values)} images.")
    return values[0]


def features_of(prepared: Prepared, record: bytes) -> Mapping[str, Any]:
    """Parses a serialized `tf.train.Example` by the copy of its definition that TFDS has.

    Raises:
        ValueError: it is none.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_datasets.proto import tf_example_pb2

    proto: Any = tf_example_pb2  # its classes are made at run time
    try:
        return proto.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError(f"{prepared.directory} is damaged: {error}") from error
