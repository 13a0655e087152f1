"""What the golden tables of layers that draw cover. Data only.

`generate_dropout.py` makes them; `tests/regularizers/test_framework_tables.py` reads them.
"""

from typing import NamedTuple

SHAPE = (4, 5, 6, 3)  # of the inputs: examples, rows, columns, channels


class Case(NamedTuple):
    """A layer or a function of a framework, and its arguments by the framework's names."""

    name: str
    arguments: dict
    dtype: str = "float32"


class Pooling(NamedTuple):
    """Sizes of an image and numbers of regions, of rows and of columns."""

    size: tuple[int, int]
    regions: tuple[int, int]
    overlapping: bool


CASES = {
    "torch": [
        Case("Dropout", {"p": 0.5}),
        Case("Dropout", {"p": 0.1}),
        Case("Dropout", {"p": 0.75}, "float64"),
        Case("Dropout", {"p": 1.0}),
        Case("Dropout2d", {"p": 0.25}),
        Case("Dropout2d", {"p": 0.625}, "float64"),
        Case("AlphaDropout", {"p": 0.5}),
        Case("AlphaDropout", {"p": 0.1}),
        Case("AlphaDropout", {"p": 0.75}, "float64"),
        Case("AlphaDropout", {"p": 1.0}),
    ],
    "keras": [
        Case("Dropout", {"rate": 0.5}),
        Case("Dropout", {"rate": 0.1}),
        Case("Dropout", {"rate": 0.25, "noise_shape": (4, 1, 1, 3)}),
        Case("SpatialDropout2D", {"rate": 0.625}),
        Case("GaussianDropout", {"rate": 0.1}),
        Case("GaussianDropout", {"rate": 0.9}),
    ],
    "tensorflow": [  # the second argument by position: the share dropped, and the share kept
        Case("nn.dropout", {"rate": 0.25}),
        Case("compat.v1.nn.dropout", {"keep_prob": 0.25}),
    ],
}

POOLINGS = [
    Pooling((11, 9), (7, 5), overlapping=True),
    Pooling((11, 9), (7, 5), overlapping=False),
    Pooling((36, 25), (25, 19), overlapping=True),
    Pooling((36, 25), (26, 13), overlapping=False),
]
