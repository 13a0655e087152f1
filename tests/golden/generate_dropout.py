"""Makes the golden tables of layers that draw: `python -m tests.golden.generate_dropout torch`.

(Or `keras`, on its PyTorch backend, or `tensorflow`.) Each row of `dropout_tables.py` runs twice
from the same seed, on an input and on the input plus 1: the entries that do not follow were
dropped, which gives the framework's own mask. Gaussian dropout runs on ones at the rate 1/2
instead, where what it adds is its standard normal draw. `--out FOLDER` writes elsewhere.
"""

import argparse
import functools
import importlib
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np

from tests.golden.dropout_tables import CASES, POOLINGS, SHAPE

PADDING = 1000.0  # larger than every entry, so that no maximum over it goes unseen
PAIRS = 6  # of examples and channels: PyTorch draws for each


def torch_runs(case, number):
    """Input, two outputs from one seed, channels last."""
    import torch  # pyrefly: ignore[missing-import]

    torch.manual_seed(100 + number)
    x = torch.randn(SHAPE, dtype=getattr(torch, case.dtype))
    layer = getattr(torch.nn, case.name)(**case.arguments)

    def output(values):
        torch.manual_seed(number)
        return torch.movedim(layer(torch.movedim(values, -1, 1)), 1, -1).numpy()

    return x.numpy(), output(x), output(x + 1)


def keras_runs(case, number):
    """Input, output, and the output for the input plus 1 or, of Gaussian dropout, the noise."""
    import keras  # pyrefly: ignore[missing-import]

    x = keras.random.normal(SHAPE, seed=100 + number)
    by_class = getattr(keras.layers, case.name)

    def output(values, **arguments):
        layer = by_class(**{**case.arguments, **arguments}, seed=number, dtype=case.dtype)
        return keras.ops.convert_to_numpy(layer(values, training=True))

    if case.name == "GaussianDropout":
        noise = output(keras.ops.ones(SHAPE), rate=0.5) - 1
        return keras.ops.convert_to_numpy(x), output(x), noise
    return keras.ops.convert_to_numpy(x), output(x), output(x + 1)


def tensorflow_runs(case, number):
    """Input, two outputs from one seed; the number is given by position."""
    import tensorflow as tf  # pyrefly: ignore[missing-import]

    function: Any = functools.reduce(getattr, case.name.split("."), tf)
    tf.random.set_seed(100 + number)
    x = tf.random.normal(SHAPE)

    def output(values):
        tf.random.set_seed(number)
        return function(values, *case.arguments.values(), seed=1).numpy()

    return x.numpy(), output(x), output(x + 1)


def drawn(case, number, runs):
    """One row of the table: input, output, and the mask or the noise."""
    x, y, other = runs(case, number)
    if case.name == "GaussianDropout":
        return {"x": x, "output": y, "noise": other}
    return {"x": x, "output": y, "mask": y != other}


def pooled(case, number):
    """PyTorch's starts of regions, and maxima over the regions from each start to the next.

    PyTorch's regions all have one size, and the last ends at the border. So the image is padded by
    as much as gives the starts the distances of the borders, and among the maxima over regions of
    both sizes that is taken which reaches as far as the next start.
    """
    import torch  # pyrefly: ignore[missing-import]

    torch.manual_seed(number)
    x = torch.randn((1, PAIRS, *case.size), dtype=torch.float32).double()
    samples = torch.rand((1, PAIRS, 2), dtype=torch.float64)
    last = [size - case.overlapping for size in case.size]

    def pool(values, kernel):
        shape = [way + one for way, one in zip(last, kernel, strict=True)]
        more = [want - have for want, have in zip(shape, values.shape[2:], strict=True)]
        padded = torch.nn.functional.pad(values, (0, more[1], 0, more[0]), value=PADDING)
        maxima, places = torch.nn.functional.fractional_max_pool2d_with_indices(
            padded, kernel, [number + 1 for number in case.regions], _random_samples=samples
        )
        rows, columns = places // shape[1], places % shape[1]
        return maxima[0].numpy(), rows[0].numpy(), columns[0].numpy()

    falling = -torch.arange(1.0 + last[0])[:, None] * 1000 - torch.arange(1.0 + last[1])
    _, rows, columns = pool(falling.double().expand(1, PAIRS, -1, -1), (1, 1))
    rows, columns = rows[:, :, 0], columns[:, 0]
    output = np.full((PAIRS, *case.regions), np.nan)
    indices = np.full((PAIRS, *case.regions), -1)
    for kernel in itertools.product((1, 2), repeat=2):
        maxima, row, column = pool(x, [step + case.overlapping for step in kernel])
        here = np.diff(rows)[:, :, None] == kernel[0]
        here = here & (np.diff(columns)[:, None] == kernel[1])
        output = np.where(here, maxima[:, :-1, :-1], output)
        indices = np.where(here, (row * case.size[1] + column)[:, :-1, :-1], indices)
    table = {"x": np.float32(x[0].numpy()), "samples": samples[0].numpy(), "rows": rows}
    return table | {"columns": columns, "output": np.float32(output), "indices": indices}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", choices=tuple(CASES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "torch"
    name = arguments.framework
    runs = {"torch": torch_runs, "keras": keras_runs, "tensorflow": tensorflow_runs}[name]
    table: dict[str, Any] = {"version": np.array(importlib.import_module(name).__version__)}
    for number, case in enumerate(CASES[name]):
        for key, values in drawn(case, number, runs).items():
            table[f"{number}_{key}"] = values
    for number, case in enumerate(POOLINGS if name == "torch" else []):
        for key, values in pooled(case, number).items():
            table[f"pooling_{number}_{key}"] = values
    np.savez_compressed(arguments.out / f"{name}_dropout.npz", **table)


if __name__ == "__main__":
    main()
