"""Random access to a prepared data set of images that need not fit into memory."""

import os
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int, Shaped

from jaxtricks._checks import check_instance
from jaxtricks.data._decode import decoder_of, stack
from jaxtricks.data._prepared import Records, image_of, label_of, open_prepared
from jaxtricks.data._tfds import check_name


class TfdsSource:
    """Reads the images of a prepared TensorFlow Datasets split from disk on each access.

    A data set is prepared once TensorFlow Datasets has downloaded it and written its own files, by
    `download_and_prepare`. `len(source)` is the number of examples. `source[indices]` reads and
    decodes the examples with these numbers and returns `{"image": uint8, "label": int32}`. `stream`
    and `training.fit` accept a source in place of a dict of arrays. To set examples aside for
    validation, give two sources different parts of a split, such as `"train[:90%]"` and
    `"train[90%:]"`; the parts are not stratified.

    Args:
        name: the TensorFlow Datasets name of a data set of classified images, such as `"mnist"`.
        split: a split in TFDS's notation, such as `"train"`, `"train[:90%]"` or `"test"`.
        data_dir: folder of the prepared data sets; None means `$TFDS_DATA_DIR`, by default
            `~/tensorflow_datasets`.
        transform: a function applied to each decoded image, a uint8 array
            `[height, width, channels]`. If the images differ in shape, it must make the shapes
            equal. Its result must depend on the image alone, so that a resumed run sees the same
            images. None leaves the images unchanged.

    Raises:
        ImportError: a package is missing; the message names the extra to install.
        FileNotFoundError: the data set is not prepared; the message shows the command to run.
        ValueError: `name` is not a valid name, `data_dir` is not a local path, the split does not
            exist or is empty, or the data set is damaged or does not hold classified images.
        TypeError: an argument has a wrong type.

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
        """Shows the name of the data set and the number of examples."""
        return f"TfdsSource({self._name!r}, {len(self)} examples)"

    def __len__(self) -> int:
        """Gives the number of examples."""
        return len(self._records)

    def __getitem__(
        self, indices: Int[np.ndarray, " n"] | Sequence[int]
    ) -> dict[str, Shaped[np.ndarray, "n *rest"]]:
        """Reads the examples with the numbers `indices`, in this order.

        Raises:
            IndexError: an index is negative, or not under `len(self)`.
            TypeError: `indices` is not a sequence of integers.
            ValueError: the images have different shapes, or a file is damaged.
        """
        places = np.asarray(indices)
        if places.ndim != 1 or not np.issubdtype(places.dtype, np.integer) and places.size:
            raise TypeError(f"indices must be a sequence of integers, got {indices!r}.")
        if np.any(places < 0) or np.any(places >= len(self)):
            raise IndexError(f"indices must be in [0, {len(self)}), got {indices}.")
        records = self._records.at(places)
        images = [self._decode(image_of(self._prepared, record)) for record in records]
        if self._transform is not None:
            images = [self._transform(image) for image in images]
        labels = np.array([label_of(self._prepared, record) for record in records], np.int32)
        return {"image": stack(self._name, images), "label": labels}
