"""A source that has no rows left is an error wherever it is read, and never a shorter epoch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import data
from jaxtricks.training import ModelLoss, evaluate, fit, predict, trainer

FAULTS = {"'x': 0": slice(0), "'x': 1": slice(1), "StopIteration": None}
NUMBERS = np.arange(24, dtype=np.float32)
OPTIONS = {"key": jax.random.key(0), "batch_size": 4, "epochs": 2}


class Rows:
    """A source that is as it should be for some reads."""

    def __init__(self, after, fault=None):
        self.left, self.fault = after, fault

    def __len__(self):
        return len(NUMBERS)

    def __getitem__(self, indices):
        self.left -= 1
        rows = {"x": NUMBERS[np.asarray(indices)]}
        if self.left >= 0:
            return rows
        if self.fault is None:
            raise StopIteration
        return {name: values[self.fault] for name, values in rows.items()}


def distance(params, model_state, batch, keys, *, train):
    return (params - batch["x"]) ** 2, (model_state, {})


LOSS = ModelLoss(distance, lambda variables, batch: batch["x"], lambda batch: batch)
OURS = trainer(LOSS, optax.sgd(0.1))
VARIABLES = {"params": jnp.zeros(())}


def train(train, validation):
    return fit(OURS, OURS.init(VARIABLES), train, validation, progress=False, **OPTIONS)


READERS = {
    "take_batch": lambda source: data.take_batch(source, np.arange(4), np.ones(4, np.float32)),
    "stream": lambda source: list(data.stream(source, **OPTIONS)),
    "training": lambda source: train(source, {"x": NUMBERS}),
    "validation": lambda source: train({"x": NUMBERS}, source),
    "evaluate": lambda source: evaluate(OURS, VARIABLES, source, 4),
    "predict": lambda source: predict(OURS, VARIABLES, source, 4),
}


@pytest.mark.parametrize("after", [0, 4])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("reader", READERS)
def test_a_source_without_rows_is_an_error(reader, fault, after):
    source = Rows(0 if reader == "take_batch" else after, FAULTS[fault])
    with pytest.raises(ValueError, match=f"a row for each of [14] indices, got .*{fault}"):
        READERS[reader](source)


@pytest.mark.parametrize("reader", READERS)
def test_an_intact_source_is_read(reader):
    READERS[reader](Rows(10**9))


def test_a_source_of_numbers_instead_of_rows_is_named():
    class Numbers(Rows):
        def __getitem__(self, indices):
            return {"x": 1.0}

    with pytest.raises(ValueError, match="a row for each of 4 indices, got .*'x': None"):
        READERS["take_batch"](Numbers(0))
