"""The 1,797 handwritten digits that come with scikit-learn."""

import importlib.util
from pathlib import Path

import numpy as np

from jaxtricks.data._splits import Split


def read_digits() -> Split:
    """Reads the 8 x 8 digits and scales their 17 grey levels to the range 0 to 255.

    It reads the file of `sklearn.datasets.load_digits` directly, because importing scikit-learn
    takes ten times as long.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ImportError("'digits' needs scikit-learn: install jaxtricks[data].")
    table = np.loadtxt(
        Path(package.origin).with_name("datasets") / "data/digits.csv.gz", delimiter=","
    )
    images = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return {"image": images, "label": table[:, -1].astype(np.int32)}
