"""An averager in the step sees what it would see outside, and is saved with the rest."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging, control, training
from tests.untyped import untyped

KEY = jax.random.key(0)
BATCHES = [{"x": jnp.array([value])} for value in (1.0, -2.0, 5.0, 0.5)]
TX = optax.sgd(0.3)
NUMBERS = {"x": np.arange(8, dtype=np.float32)}


def distance(params, model_state, batch, keys, *, train):
    return (params["w"] - batch["x"]) ** 2, (model_state, {})


def made(averager, **options):
    """A trainer of one weight with an averager, and its first state."""
    trainer = training.trainer(distance, TX, averager=averager, rng_streams=(), **options)
    return trainer, trainer.init({"params": {"w": jnp.ones(())}})


def test_the_average_is_that_of_the_weights_after_each_step_scaled_ones_too():
    averager = averaging.exponential_average(0.9)
    trainer, state = made(averager)
    step = training.jit_step(trainer)
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
    trainer, state = made(averager, evaluate_average=False)
    step, weights = jax.jit(trainer.step), []
    for batch in BATCHES:
        state, _ = step(state, batch, KEY)
        weights.append(float(state.params["w"]))
    kept = state.average.output
    assert kept.steps.tolist() == [2, 4]
    assert kept.params["w"].tolist() == [weights[1], weights[3]]


@pytest.mark.slow
def test_decays_are_swept_in_one_program():
    batches = jax.tree.map(lambda *rows: jnp.stack(rows), *BATCHES)

    @jax.jit
    @jax.vmap
    def swept(decay):
        trainer, state = made(averaging.exponential_average(decay))
        state, _ = jax.lax.scan(
            lambda state, batch: trainer.step(state, batch, KEY), state, batches
        )
        return state.average.output["w"], state.params["w"]

    averages, last = swept(jnp.array([0.0, 0.5, 0.99]))
    assert float(averages[0]) == float(last[0])
    trainer, state = made(averaging.exponential_average(0.5))
    step = jax.jit(trainer.step)
    for batch in BATCHES:
        state, _ = step(state, batch, KEY)
    chex.assert_trees_all_close(averages[1], state.average.output["w"], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_a_resumed_run_has_the_average_of_the_whole_one(tmp_path, sharded):
    trainer, start = made(averaging.exponential_average(0.9))

    def run(epochs, folder=None, resume=False):
        return training.fit(
            trainer,
            start,
            NUMBERS,
            NUMBERS,
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


OPTIONS = {"key": KEY, "epochs": 3, "batch_size": 2}


@pytest.mark.slow
@pytest.mark.parametrize("evaluate_average", [True, False])
def test_validation_and_the_best_look_at_the_average_unless_told_otherwise(evaluate_average):
    averager = averaging.exponential_average(0.9, debias=False, warm_start=True)
    trainer, start = made(averager, evaluate_average=evaluate_average)
    end = training.fit(trainer, start, NUMBERS, NUMBERS, **OPTIONS)
    chosen = end.state.average.output if evaluate_average else end.state.params
    other = end.state.params if evaluate_average else end.state.average.output
    losses = [float(jnp.mean((weights["w"] - NUMBERS["x"]) ** 2)) for weights in (chosen, other)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)
    assert end.history[-1]["validation.loss"] == pytest.approx(losses[0], rel=1e-5)
    chex.assert_trees_all_equal(trainer.variables(end.state), {"params": chosen})
    best = training.evaluate(trainer, end.best_variables, NUMBERS, 2)["loss"]
    wanted = min(record["validation.loss"] for record in end.history)
    assert float(best) == pytest.approx(wanted, rel=1e-6)
    rule = control.keep_best()
    again = training.run(trainer, start, NUMBERS, NUMBERS, stopping=rule, **OPTIONS)
    chex.assert_trees_all_close(again.best_variables, end.best_variables, rtol=1e-6)


def test_what_is_no_average_is_not_evaluated():
    averager = averaging.snapshots(2, at=averaging.cycle_ends(2))
    with pytest.raises(ValueError, match="got a Snapshots: set evaluate_average=False"):
        made(averager)


def test_a_state_of_another_averager_is_refused():
    averager = averaging.polyak_average()
    for first, second, kind in (
        (averager, None, "no average"),
        (None, averager, "the average PolyakAverageState"),
        (averager, averaging.exponential_average(0.9), "the average ExponentialAverageState"),
    ):
        message = f"state must come from the init of this trainer, .* got a state with {kind}"
        with pytest.raises(ValueError, match=message):
            jax.eval_shape(made(first)[0].step, made(second)[1], BATCHES[0], KEY)
    with untyped(), pytest.raises(TypeError, match="averager must be an Averager, got 0.9"):
        made(0.9)
