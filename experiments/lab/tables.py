"""Real tables that come with scikit-learn: its own, and those that its tests of OpenML read."""

import csv
import gzip
from importlib import resources

import numpy as np

OWN = ("iris", "wine", "breast cancer", "diabetes", "digits", "linnerud")
FROM_OPENML = {  # folder, and the column to predict
    "glass": ("id_40675", "class"),
    "titanic": ("id_40945", "survived"),
    "penguins": ("id_42585", "species"),
    "computers": ("id_561", "class"),
    "zoo": ("id_62", "type"),
    "chess endgames": ("id_3", "class"),
}
TABLES = (*OWN, *FROM_OPENML)
MISSING = ("?", "")
MOST_MISSING = 0.25  # of a column that is kept


def read_table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in the table's units, `[row, column]`, and a standardised target.

    A class is the number of its label. Columns that never change are left out.
    """
    inputs, target = _read_own(name) if name in OWN else _read_openml(*FROM_OPENML[name])
    inputs, target = np.asarray(inputs, np.float64), np.asarray(target, np.float64)
    inputs = inputs[:, np.ptp(inputs, axis=0) > 0]
    return inputs, (target - target.mean()) / target.std()


def _read_own(name: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets

    how = {"return_X_y": True} | ({"scaled": False} if name == "diabetes" else {})
    inputs, target = getattr(datasets, f"load_{name.replace(' ', '_')}")(**how)
    return inputs, target[:, 0] if name == "linnerud" else target  # a man's weight


def _read_openml(folder: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns of numbers or of two values, with few missing; then rows without missing ones."""
    place = resources.files("sklearn.datasets.tests.data.openml").joinpath(folder)
    (path,) = (path for path in place.iterdir() if path.name.startswith("data"))
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    data = next(i for i, line in enumerate(lines) if line.lower().startswith("@data"))
    names = [
        line.split(None, 2)[1].strip("'\"")
        for line in lines[:data]
        if line.lower().startswith("@attribute")
    ]
    text = [line for line in lines[data + 1 :] if line.strip() and not line.startswith("%")]
    quote = "'" if text[0].startswith("'") else '"'
    rows = np.array(list(csv.reader(text, quotechar=quote, skipinitialspace=True)), object)
    columns = {name: _numbers(values) for name, values in zip(names, rows.T, strict=True)}
    output = _numbers(rows[:, names.index(target)], labels=True)
    inputs = [column for name, column in columns.items() if name != target]
    kept = [c for c in inputs if np.mean(np.isnan(c)) <= MOST_MISSING]
    table = np.stack([*kept, output], axis=1)
    table = table[~np.isnan(table).any(axis=1)]
    return table[:, :-1], table[:, -1]


def _numbers(values: np.ndarray, *, labels: bool = False) -> np.ndarray:
    """A column as numbers, NaN where it is missing, and throughout if of over two words."""
    known = [value for value in values if value not in MISSING]
    try:
        return np.array([float(v) if v not in MISSING else np.nan for v in values])
    except ValueError:
        words = sorted(set(known))
    if len(words) > 2 and not labels:
        return np.full(len(values), np.nan)
    return np.array([words.index(v) if v not in MISSING else np.nan for v in values], float)
