"""An averager in the step sees what it would see outside, and is saved with the rest."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging, training
from tests.untyped import untyped

KEY = jax.random.key(0)
BATCHES = [{"x": jnp.array([value])} for value in (1.0, -2.0, 5.0, 0.5)]
TX = optax.sgd(0.3)


def distance(params, model_state, batch, keys, *, train):
    return (params["w"] - batch["x"]) ** 2, (model_state, {})


def start(averager):
    return training.init_state({"w": jnp.ones(())}, TX, averager=averager)


def step_with(averager):
    return training.make_train_step(distance, TX, averager=averager, rng_streams=())


def test_the_average_is_that_of_the_weights_after_each_step_scaled_ones_too():
    averager = averaging.exponential_average(0.9)
    step, state = training.jit_step(step_with(averager)), start(averager)
    assert float(state.average.output["w"]) == pytest.approx(1.0)
    weights = []
    for number, batch in enumerate(BATCHES):
        state = dataclasses.replace(state, learning_rate_scale=jnp.float32(0.5**number))
        state, _ = step(state, batch, KEY)
        weights.append(float(state.params["w"]))
        share = 0.9 ** np.arange(number, -1, -1)
        want = np.dot(share, weights) / share.sum()
        assert float(state.average.output["w"]) == pytest.approx(want, rel=1e-6)


def test_snapshots_are_taken_at_the_ends_of_cycles():
    averager = averaging.snapshots(2, at=averaging.cycle_ends(2))
    state, weights = start(averager), []
    for batch in BATCHES:
        state, _ = step_with(averager)(state, batch, KEY)
        weights.append(float(state.params["w"]))
    kept = state.average.output
    assert kept.steps.tolist() == [2, 4]
    assert kept.params["w"].tolist() == [weights[1], weights[3]]


def test_decays_are_swept_in_one_program():
    batches = jax.tree.map(lambda *rows: jnp.stack(rows), *BATCHES)

    @jax.jit
    @jax.vmap
    def swept(decay):
        averager = averaging.exponential_average(decay)
        state, _ = jax.lax.scan(
            lambda state, batch: step_with(averager)(state, batch, KEY), start(averager), batches
        )
        return state.average.output["w"], state.params["w"]

    averages, last = swept(jnp.array([0.0, 0.5, 0.99]))
    assert float(averages[0]) == float(last[0])
    averager = averaging.exponential_average(0.5)
    state = start(averager)
    for batch in BATCHES:
        state, _ = step_with(averager)(state, batch, KEY)
    chex.assert_trees_all_close(averages[1], state.average.output["w"], rtol=1e-6)


@pytest.mark.parametrize("sharded", [False, True])
def test_a_resumed_run_has_the_average_of_the_whole_one(tmp_path, sharded):
    averager = averaging.exponential_average(0.9)
    numbers = {"x": np.arange(8, dtype=np.float32)}

    def run(epochs, folder=None, resume=False):
        return training.fit(
            step_with(averager),
            training.make_eval_step(distance),
            start(averager),
            numbers,
            numbers,
            key=KEY,
            epochs=epochs,
            batch_size=2,
            sharding=training.data_sharding() if sharded else None,
            folder=folder,
            resume=resume,
            progress=False,
        ).state

    run(2, tmp_path)
    resumed, whole = run(4, tmp_path, resume=True), run(4)
    chex.assert_trees_all_equal(resumed, whole)
    assert float(whole.average.output["w"]) != float(whole.params["w"])
    assert int(whole.average.state.count) == 16


def test_step_and_state_have_the_same_averager_or_none():
    averager = averaging.polyak_average()
    for first, second in ((averager, None), (None, averager)):
        with pytest.raises(ValueError, match="averager must be given to make_train_step and to"):
            jax.eval_shape(step_with(first), start(second), BATCHES[0], KEY)
    message = "the same .* with a PolyakAverageState and one with a ExponentialAverageState"
    with pytest.raises(ValueError, match=message):
        other = start(averaging.exponential_average(0.9))
        jax.eval_shape(step_with(averager), other, BATCHES[0], KEY)
    with untyped():
        with pytest.raises(TypeError, match="averager must be an Averager, got 0.9"):
            step_with(0.9)
        with pytest.raises(TypeError, match="averager must be an Averager, got 0.9"):
            start(0.9)
