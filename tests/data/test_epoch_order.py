"""The order of an epoch against its definition."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import data

KEY = jax.random.key(0)

# one program for each order: outside of `jit`, each operation is compiled for itself
epoch_order = jax.jit(
    data.epoch_order, static_argnames=("size", "batch_size", "order", "remainder")
)


@pytest.mark.parametrize("order", ["reshuffle", "cyclic"])
@pytest.mark.parametrize("size, batch", [(10, 3), (12, 4), (2, 5), (7, 1), (6, 6)])
def test_weighted_remainder_visits_each_example_exactly_once(order, size, batch):
    got = epoch_order(KEY, size, batch, order=order, remainder="weight")
    chex.assert_shape(got, (-(-size // batch), batch))
    visits = np.bincount(np.asarray(got.indices).ravel(), np.asarray(got.weights).ravel())
    assert visits.tolist() == [1.0] * size
    assert got.indices.dtype == jnp.int32 and np.all(np.asarray(got.weights[:-1]) == 1)


@pytest.mark.parametrize("order", ["reshuffle", "cyclic", "with_replacement"])
def test_dropped_remainder(order):
    got = epoch_order(KEY, 10, 4, order=order)
    chex.assert_shape(got, (2, 4))
    assert np.all(np.asarray(got.weights) == 1)
    assert np.all((np.asarray(got.indices) >= 0) & (np.asarray(got.indices) < 10))
    if order != "with_replacement":
        assert len(np.unique(got.indices)) == 8


def test_cyclic_is_the_examples_own_order():
    got = epoch_order(KEY, 4, 1, order="cyclic")
    assert got.indices.tolist() == [[0], [1], [2], [3]]


def test_orders_are_random_and_keyed():
    shuffled = [epoch_order(jax.random.key(s), 100, 10).indices for s in (0, 0, 1)]
    assert np.array_equal(shuffled[0], shuffled[1])
    assert not np.array_equal(shuffled[0], shuffled[2])
    assert not np.array_equal(shuffled[0].ravel(), np.arange(100))


def test_share_left_out_by_drawing_with_replacement():
    """(1 - 1/n)^n of the examples, 1/e for large n, are never drawn."""
    drawn = epoch_order(KEY, 10_000, 1, order="with_replacement").indices
    assert 1 - len(np.unique(drawn)) / 10_000 == pytest.approx(np.exp(-1), abs=0.02)


def test_every_place_of_a_shuffle_is_uniform():
    orders = jax.vmap(lambda key: epoch_order(key, 4, 2).indices)(jax.random.split(KEY, 4000))
    counts = np.stack([np.bincount(np.asarray(p)) for p in orders.reshape(4000, 4).T])
    assert np.all(np.abs(counts - 1000) < 5 * np.sqrt(4000 * 3 / 16))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"size": 0, "batch_size": 1}, "size must be at least 1, got 0"),
        ({"size": 3, "batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"size": 3, "batch_size": 4}, "batch_size must be at most the 3 examples, got 4"),
    ],
)
def test_bad_order(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.epoch_order(KEY, **arguments)
