"""A `TrainState` through `flax.serialization`, bit by bit."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization

from jaxtricks import averaging, models, optimizers, training


@functools.cache
def trained(averager=None):
    """A state after two updates, and the trainer's first one."""
    net = models.MLP((4, 2), block=models.batch_norm_block)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optimizers.adam(0.1))
    trainer = training.trainer(training.classification_loss(net), tx, averager=averager)
    x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
    init = jax.jit(functools.partial(net.init, train=False))
    template = trainer.init(init(jax.random.key(0), x))
    batch, state = {"image": x, "label": jnp.array([0, 1, 1, 0])}, template
    step = jax.jit(trainer.step)
    for number in range(2):
        state, _ = step(state, batch, jax.random.key(number))
    return state, template


@pytest.mark.slow
@pytest.mark.parametrize("averager", [None, averaging.exponential_average(0.9)])
def test_bytes_give_the_state_back_bit_by_bit(averager):
    state, template = trained(averager)
    read = serialization.from_bytes(template, serialization.to_bytes(state))
    assert isinstance(read, training.TrainState)
    chex.assert_trees_all_equal_structs(read, state)
    for got, want in zip(jax.tree.leaves(read), jax.tree.leaves(state), strict=True):
        assert np.asarray(got).dtype == want.dtype
        assert np.asarray(got).tobytes() == np.asarray(want).tobytes()


@pytest.mark.slow
def test_its_dictionary_has_the_fields():
    state, template = trained()
    stored = serialization.to_state_dict(state)
    names = ["step", "params", "model_state", "opt_state", "learning_rate_scale", "average"]
    assert list(stored) == names
    chex.assert_trees_all_equal(serialization.from_state_dict(template, stored), state)


@pytest.mark.slow
def test_what_lacks_a_field_is_refused():
    state, template = trained()
    stored = serialization.to_state_dict(state)
    del stored["opt_state"]
    with pytest.raises(ValueError, match="state must have the fields .*opt_state"):
        serialization.from_state_dict(template, stored)
