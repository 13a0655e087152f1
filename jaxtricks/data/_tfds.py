"""Image classes prepared by TensorFlow Datasets, read without TensorFlow."""

import difflib
import importlib.util
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

PACKAGES = ("tensorflow_datasets", "PIL")


def check_folder(name: str, folder: object) -> None:
    """Checks a path, or None for a default.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(folder, str | os.PathLike | None):
        raise TypeError(f"{name} must be a path, got {folder!r}.")


def prepared_version(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    """Finds the newest prepared version of a data set.

    Raises:
        FileNotFoundError: there is none; the message says how to prepare it.
    """
    default = os.environ.get("TFDS_DATA_DIR", Path.home() / "tensorflow_datasets")
    root = Path(default if data_dir is None else data_dir).expanduser()
    versions = [file.parent for file in (root / name).glob("*.*.*/dataset_info.json")]
    if not versions:
        prepared = [file.parents[1].name for file in root.glob("*/*.*.*/dataset_info.json")]
        alike = difflib.get_close_matches(name, ["digits", *prepared], n=1)
        hint = f": did you mean {alike[0]!r}?" if alike else "."
        exported = os.environ.get("JAXTRICKS_DATA_DIR")
        nor = f", nor is {name}.npz in {exported} (JAXTRICKS_DATA_DIR)" if exported else ""
        raise FileNotFoundError(
            f"{name} is not prepared in {root}{nor}{hint} If it is elsewhere, say so by data_dir "
            f"or TFDS_DATA_DIR. {how_to_prepare(name, root)}"
        )
    return max(versions, key=lambda path: tuple(int(part) for part in path.name.split(".")))


def how_to_prepare(name: str, root: Path) -> str:
    """Gives the command that downloads and prepares a data set."""
    return (
        "To download and prepare it, once, install jaxtricks[prepare] (that one has TensorFlow) "
        "and run\n"
        f"python -c \"import tensorflow_datasets as tfds; tfds.builder('{name}', "
        f"data_dir='{root}', file_format='array_record').download_and_prepare()\"\n"
        f"{how_to_carry(name)}"
    )


def how_to_carry(name: str) -> str:
    """Gives the command that makes a file for machines without TensorFlow Datasets."""
    return (
        "Or, where it is prepared, run\n"
        f"python -c \"from jaxtricks import data; data.export('{name}', 'FOLDER')\"\n"
        "and set JAXTRICKS_DATA_DIR to a copy of FOLDER here; that needs NumPy alone."
    )


def has_packages() -> bool:
    """Says whether the packages that read prepared data sets are installed."""
    return all(importlib.util.find_spec(package) for package in PACKAGES)


def open_prepared(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """Opens a prepared data set of classified images.

    Raises:
        ImportError: tensorflow-datasets or Pillow is not installed.
        FileNotFoundError: the data set is not prepared.
        ValueError: it is prepared in a format only TensorFlow reads, or has no images with classes.
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
    builder = tfds.builder_from_directory(directory)
    file_format = builder.info.file_format.value
    if file_format != "array_record":
        raise ValueError(
            f"{directory} is in the format {file_format}, which only TensorFlow reads. Move it "
            f"away. {how_to_prepare(name, directory.parents[name.count('/') + 1])}"
        )
    features = builder.info.features
    missing = {"image", "label"} - set(features)
    if missing:
        raise ValueError(
            f"{name} must be a set of classified images, but has no {sorted(missing)}."
        )
    image, label = features["image"], features["label"]
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise ValueError(f"{name} must have uint8 images, its feature image is {image}.")
    if not isinstance(label, tfds.features.ClassLabel):
        raise ValueError(f"{name} must have one class per image, its feature label is {label}.")
    return builder


def records_of(builder: Any, split: str) -> Any:
    """Random access to the records of a split, their images still encoded."""
    import tensorflow_datasets as tfds

    return builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})


def raw_records(
    builder: Any, split: str, places: Int[np.ndarray, " n"] | None = None
) -> list[bytes]:
    """Reads the serialized records of a split, all or those of some numbers, in their order."""
    import tensorflow_datasets as tfds

    source = builder.as_data_source(
        split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    return source.__getitems__(list(range(len(source))) if places is None else places.tolist())


def label_of(record: bytes) -> int:
    """The class in a serialized record."""
    return features_of(record)["label"].int64_list.value[0]


def image_of(record: bytes) -> bytes:
    """The encoded image in a serialized record."""
    return features_of(record)["image"].bytes_list.value[0]


def features_of(record: bytes) -> Mapping[str, Any]:
    """Parses a serialized `tf.train.Example` by the copy of its definition that TFDS has."""
    from tensorflow_datasets.proto import tf_example_pb2

    proto: Any = tf_example_pb2  # its classes are made at run time
    return proto.Example.FromString(record).features.feature


def decoder_of(builder: Any) -> Callable[[bytes], np.ndarray]:
    """Makes a function from a PNG or JPEG file to height x width x channels, like TFDS's own."""
    from PIL import Image

    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(builder.info.features["image"].shape[-1])

    def decode(encoded: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(encoded))
        values = np.asarray(image if mode in (None, image.mode) else image.convert(mode))
        return values[:, :, None] if values.ndim == 2 else values

    return decode


def stack(name: str, images: Sequence[np.ndarray]) -> np.ndarray:
    """Puts images into one array.

    Raises:
        ValueError: they have several shapes.
    """
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise ValueError(
            f"{name} must have images of one shape, got {shapes[0]} and {shapes[-1]}: read it by "
            "jaxtricks.data.TfdsSource with a transform that makes them equal."
        )
    return np.stack(images)
