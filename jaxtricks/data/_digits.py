"""The 1,797 handwritten digits that come with scikit-learn."""

import numpy as np

from jaxtricks.data._splits import Split


def read_digits() -> Split:
    """Gives all digits, 8 x 8, their 17 levels of grey spread over 0 to 255.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits needs scikit-learn: install jaxtricks[data].") from error
    images, labels = load_digits(return_X_y=True)
    images = np.round(np.asarray(images) * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Split(images, np.asarray(labels, np.int32))
