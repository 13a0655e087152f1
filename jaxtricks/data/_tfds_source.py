"""Random access to prepared images that need not fit into memory."""

import os
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int, Shaped

from jaxtricks._checks import check_instance
from jaxtricks.data._decode import decoder_of, stack
from jaxtricks.data._prepared import Records, image_of, label_of, open_prepared
from jaxtricks.data._tfds import check_name


class TfdsSource:
    """Reads images of a prepared TensorFlow Datasets split when they are asked for.

    `len(source)` is the number of examples, and `source[indices]` gives those of the numbers as
    `{"image": uint8, "label": int32}`, decoded anew each time. `stream` and `training.fit` take it
    in place of a dict of arrays. A validation set is cut off by split names; nothing is stratified.

    Args:
        name: of images with classes, as in `load`.
        split: in TFDS's notation, such as `"train"`, `"train[:90%]"` or `"test"`.
        data_dir: where prepared data sets are; else `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
        transform: applied to each decoded image `[height, width, channels]`. It must make the
            shapes equal where they are not, and is a function of the image alone, so that a
            resumed run sees the same.

    Raises:
        ImportError: a package is missing; the message names the extra.
        FileNotFoundError: the data set is not prepared; the message has the command that does it.
        ValueError: it has no images with classes, or no such split, or is damaged.
        TypeError: an argument is of another type.

    Example:
        >>> TfdsSource("mnist", "train[:90%]")[[0, 7]]["image"].shape  # doctest: +SKIP
        (2, 28, 28, 1)
    """

    def __init__(
        self,
        name: str,
        split: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        transform: Callable[[np.ndarray], np.ndarray] | None = None,
    ):
        check_name(name)
        check_instance("split", split, str)
        if transform is not None and not callable(transform):
            raise TypeError(f"transform must be a function, got {transform!r}.")
        self._prepared = open_prepared(name, data_dir)
        self._records = Records(self._prepared, split)
        self._name = name
        self._decode = decoder_of(name, self._prepared.features)
        self._transform = transform

    def __repr__(self) -> str:
        """The data set and how many examples it has."""
        return f"TfdsSource({self._name!r}, {len(self)} examples)"

    def __len__(self) -> int:
        """The number of examples."""
        return len(self._records)

    def __getitem__(
        self, indices: Int[np.ndarray, " n"] | Sequence[int]
    ) -> dict[str, Shaped[np.ndarray, "n *rest"]]:
        """The examples of some numbers, in their order.

        Raises:
            IndexError: a number is negative, or not under `len(self)`.
            ValueError: the images have several shapes.
        """
        places = np.asarray(indices)
        if places.ndim != 1 or not np.issubdtype(places.dtype, np.integer) and places.size:
            raise TypeError(f"indices must be a sequence of numbers, got {indices!r}.")
        if np.any(places < 0) or np.any(places >= len(self)):
            raise IndexError(f"indices must be in [0, {len(self)}), got {indices}.")
        records = self._records.at(places)
        images = [self._decode(image_of(self._prepared, record)) for record in records]
        if self._transform is not None:
            images = [self._transform(image) for image in images]
        labels = np.array([label_of(self._prepared, record) for record in records], np.int32)
        return {"image": stack(self._name, images), "label": labels}
