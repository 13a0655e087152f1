"""Examples are counted, and a batch is what stands at its indices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import data
from tests.untyped import untyped

EXAMPLES = {"x": np.arange(10) ** 2, "weight": np.linspace(0, 1, 10, dtype=np.float32)}
INDICES, WEIGHTS = np.array([7, 2, 7]), np.array([1, 1, 0], np.float32)
PLACES = (INDICES, WEIGHTS)


class Rows:
    """A source."""

    def __init__(self, given=slice(None)):
        self.given = given

    def __len__(self):
        return 10

    def __getitem__(self, indices):
        return {name: values[indices][self.given] for name, values in EXAMPLES.items()}


def test_a_batch_is_the_same_from_host_device_and_source():
    host = data.take_batch(EXAMPLES, INDICES, WEIGHTS)
    assert host["x"].tolist() == [49, 4, 49]
    np.testing.assert_allclose(host["weight"], [7 / 9, 2 / 9, 0], rtol=1e-6)
    assert all(isinstance(values, np.ndarray) for values in host.values())
    assert all(
        isinstance(values, np.ndarray) for values in data.take_batch(Rows(), *PLACES).values()
    )
    device = jax.jit(data.take_batch)(EXAMPLES, jnp.asarray(INDICES), jnp.asarray(WEIGHTS))
    for other in (data.take_batch(Rows(), *PLACES), device):
        for name, values in host.items():
            assert np.array_equal(other[name], values), name


def test_without_weights_of_their_own_examples_have_those_of_the_places():
    batch = data.take_batch({"x": EXAMPLES["x"]}, *PLACES)
    assert batch["weight"].tolist() == [1, 1, 0] and batch["weight"].dtype == np.float32


def test_examples_are_counted():
    assert data.count_examples(EXAMPLES) == data.count_examples(Rows()) == 10


@pytest.mark.parametrize(
    "examples, error, message",
    [
        ({}, ValueError, "train must have arrays of one length, got {}"),
        ({"x": np.zeros(0)}, ValueError, "train must not be empty"),
        ({"x": np.zeros(1), "y": np.ones(2)}, ValueError, "arrays of one length.*'y': 2"),
        (np.zeros(3), TypeError, "train must be a dict of arrays.*a ndarray"),
        (3, TypeError, "train must be a dict of arrays.*an? int"),
    ],
)
def test_what_are_no_examples_is_named(examples, error, message):
    with untyped(), pytest.raises(error, match=message):
        data.count_examples(examples, name="train")


def test_a_source_gives_as_many_rows_as_it_is_asked_for():
    with pytest.raises(ValueError, match=r"a row for each of 3 indices, got \{'x': 2"):
        data.take_batch(Rows(slice(2)), *PLACES)
