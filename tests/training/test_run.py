"""The epoch and the whole run: what stops, what goes on, and that nothing else matters."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, optimizers, training
from jaxtricks.data import epoch_order
from tests.training.nets import Net, examples, start
from tests.untyped import untyped

KEY = jax.random.key(3)
NET = Net(rate=0.2, batch_norm=True)


def make(rate=0.3, net=NET, **options):
    """A state and the run of one rate."""
    tx = optimizers.momentum(rate, 0.5)
    state, loss = start(net, tx)
    step = training.make_train_step(loss, tx)
    run = training.make_run(
        training.make_train_epoch(step), training.make_eval_step(loss), batch_size=10, **options
    )
    return state, run


def test_epoch_equals_a_loop_of_steps_and_unrolling_changes_nothing():
    tx = optimizers.adam(0.01)
    state, loss = start(NET, tx)
    step = training.make_train_step(loss, tx, diagnostics=False)
    data = examples(25)
    order = epoch_order(KEY, 25, 10, remainder="weight")
    want = state
    for indices, weights in zip(order.indices, order.weights, strict=True):
        rows = {name: values[indices] for name, values in data.items()}
        want, _ = jax.jit(step)(want, {**rows, "weight": weights}, KEY)
    for unroll in (1, True):
        epoch = jax.jit(training.make_train_epoch(step, unroll=unroll))
        got, metrics = epoch(state, jax.tree.map(jnp.asarray, data), order, KEY)
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)
        assert metrics["weight"].tolist() == [10.0, 10.0, 5.0]


def test_epoch_keeps_the_state_before_the_first_nan():
    tx = optimizers.gradient_descent(lambda count: jnp.where(count == 2, jnp.nan, 0.1))
    state, loss = start(Net(), tx)
    epoch = training.make_train_epoch(training.make_train_step(loss, tx))
    data, order = jax.tree.map(jnp.asarray, examples(40)), epoch_order(KEY, 40, 10)
    end, metrics = jax.jit(epoch)(state, data, order, KEY)
    first_two = jax.tree.map(lambda x: x[:2], order)
    want, _ = jax.jit(epoch)(state, data, first_two, KEY)
    assert int(end.step) == 2
    chex.assert_trees_all_equal(end.params, want.params)
    assert (metrics["non_finite"] > 0).tolist() == [False, False, True, True]


def test_means_over_steps_weigh_a_ragged_batch_by_its_examples():
    steps = {
        "loss": jnp.array([1.0, 4.0]),
        "weight": jnp.array([3.0, 1.0]),
        "non_finite": jnp.array([0, 2]),
        "learning_rate": jnp.array([0.2, 0.1]),
    }
    means = training.mean_over_steps(steps)
    want = {"loss": 1.75, "weight": 4.0, "non_finite": 2, "learning_rate": 0.1}
    assert {name: float(value) for name, value in means.items()} == pytest.approx(want)


def test_run_learns_and_stops_and_keeps_the_best():
    rule = control.early_stopping(patience=2, mode="max")
    state, run = make(epochs=30, stopping=rule, monitor="accuracy")
    result = jax.jit(run)(state, examples(60), examples(30, seed=1), KEY)
    epochs = int(result.epochs)
    accuracy = np.asarray(result.validation["accuracy"])
    assert 3 <= epochs < 30 and np.nanmax(accuracy) > 0.9
    assert np.isfinite(accuracy[:epochs]).all() and np.isnan(accuracy[epochs:]).all()
    best = int(np.nanargmax(accuracy))
    assert int(result.stopping.best_observation) == best + 1 and epochs == best + 4
    assert int(result.state.step) == 6 * epochs
    shorter, until_best = make(epochs=best + 1)
    want = jax.jit(until_best)(shorter, examples(60), examples(30, seed=1), KEY).state
    chex.assert_trees_all_close(
        result.stopping.best_variables, training.variables(want), rtol=1e-5, atol=1e-6
    )


def test_plateau_scales_the_updates_of_the_next_epochs():
    plateau = control.plateau(0.0, patience=0, threshold=1e9)
    state, run = make(epochs=4, plateau=plateau)
    result = jax.jit(run)(state, examples(30), examples(12, seed=1), KEY)
    frozen, until = make(epochs=2)
    want = jax.jit(until)(frozen, examples(30), examples(12, seed=1), KEY)
    assert float(result.state.learning_rate_scale) == 0.0
    chex.assert_trees_all_close(result.state.params, want.state.params, rtol=1e-6)


def logits_of_pixels(params, model_state, batch, keys, *, train):
    """A loss without layers: what follows is about many runs, and compiles several of them."""
    pixels = batch["image"].reshape(len(batch["image"]), -1) / 255
    loss = optax.softmax_cross_entropy_with_integer_labels(pixels @ params, batch["label"])
    return loss, (model_state, {})


def one_run(key, rate, data):
    """Stops early at rates that do not help; the epochs are in an order of the key's own."""
    tx = optimizers.gradient_descent(rate)
    step = training.make_train_step(logits_of_pixels, tx, rng_streams=(), diagnostics=False)
    run = training.make_run(
        training.make_train_epoch(step),
        training.make_eval_step(logits_of_pixels),
        epochs=6,
        batch_size=10,
        stopping=control.early_stopping(patience=0),
    )
    result = run(training.init_state(jnp.zeros((12, 3)), tx), data, data, key)
    return result.state.params, result.epochs


def test_a_stopped_run_freezes_while_others_go_on():
    data, rates = examples(30), jnp.array([0.0, 0.1, 300.0])
    together, epochs = jax.jit(jax.vmap(one_run, (None, 0, None)))(KEY, rates, data)
    assert len(set(epochs.tolist())) > 2
    alone = jax.jit(one_run)
    for i, rate in enumerate(rates):
        params, ended = alone(KEY, rate, data)
        assert int(ended) == int(epochs[i])
        chex.assert_trees_all_close(together[i], params, rtol=1e-4, atol=1e-5)


def test_a_trial_depends_on_its_key_and_its_hyper_parameters_alone():
    keys, rates = jax.random.split(KEY, 5), jnp.array([0.0, 0.1, 300.0, 600.0, 1000.0])
    shared = (jax.tree.map(jnp.asarray, examples(24)),)
    params, epochs = training.train_population(one_run, keys, rates, shared=shared)
    assert len(set(epochs.tolist())) > 2
    order = np.array([3, 1, 4])
    part = training.train_population(
        one_run, keys[order], rates[order], shared=shared, devices=jax.devices()[:1]
    )
    chex.assert_trees_all_equal(part, jax.tree.map(lambda x: x[order], (params, epochs)))
    for chunk in (2, None):
        mapped = training.train_population(
            one_run, keys, rates, shared=shared, form="vmap", chunk=chunk
        )
        chex.assert_trees_all_close(mapped, (params, epochs), rtol=1e-4, atol=1e-5)


def test_bad_populations_are_refused():
    keys = jax.random.split(KEY, 3)
    run = one_run
    with untyped(), pytest.raises(TypeError, match="keys must be a vector of typed keys"):
        training.train_population(run, jnp.zeros((3, 2), jnp.uint32), jnp.ones(3))
    with pytest.raises(
        ValueError, match=r"hyper_parameters must have a row for each of 3 keys, got 2"
    ):
        training.train_population(run, keys, jnp.ones(2))
    with (
        untyped(),
        pytest.raises(ValueError, match="form must be one of 'map', 'vmap', got 'scan'"),
    ):
        training.train_population(run, keys, jnp.ones(3), form="scan")
    for bad, message in (
        ({"run": 3}, "run must be a function, got 3"),
        ({"shared": {"x": 1}}, "shared must be a tuple, got {'x': 1}"),
        ({"devices": 2}, "devices must be a Sequence, got 2"),
    ):
        arguments = {"run": run, "keys": keys, "hyper_parameters": jnp.ones(3), **bad}
        with untyped(), pytest.raises(TypeError, match=message):
            training.train_population(**arguments)
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        training.train_population(run, keys, jnp.ones(3), chunk=0)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        make(epochs=0)


def test_hyper_parameters_need_an_axis_of_trials():
    keys = jax.random.split(KEY, 3)
    for rate in (0.1, jnp.float32(0.1)):
        with pytest.raises(TypeError, match=r"hyper_parameters\['rate'\] must be an array .*0.1"):
            training.train_population(one_run, keys, {"rate": rate})


def test_what_a_run_cannot_use_is_refused_when_it_is_traced():
    def run_of(train, **options):
        tx = optimizers.gradient_descent(0.1)
        step = training.make_train_step(squared, tx, rng_streams=())
        epoch, eval_step = training.make_train_epoch(step), training.make_eval_step(squared)
        run = training.make_run(epoch, eval_step, **{"epochs": 1, "batch_size": 2, **options})
        jax.eval_shape(run, training.init_state(jnp.zeros(()), tx), train, X, KEY)

    def squared(params, model_state, batch, keys, *, train):
        return (params - batch["x"]) ** 2, (model_state, {})

    X = {"x": jnp.ones(4)}
    with pytest.raises(ValueError, match="monitor must be one of .*'loss'.*, got 'accuracy'"):
        run_of(X, monitor="accuracy")
    with pytest.raises(ValueError, match="batch_size must not be over the 4 examples, got 5"):
        run_of(X, batch_size=5)
    with pytest.raises(ValueError, match="train must have arrays of one length, .*'y': 9"):
        run_of({**X, "y": jnp.ones(9)})
