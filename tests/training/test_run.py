"""The epoch and the whole run: what stops, what goes on, and that nothing else matters."""

import functools

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


def run_of(rate=0.3, net=NET, begun=None, **options):
    """The run of one rate, or the rest of one that was begun."""
    trainer, state = start(net, optimizers.momentum(rate, decay=0.5))
    run = jax.jit(functools.partial(training.run, trainer, batch_size=10, **options))
    return run(begun or state, examples(60), examples(30, seed=1), key=KEY)


@pytest.mark.slow
def test_epoch_equals_a_loop_of_steps_and_unrolling_changes_nothing():
    tx = optimizers.adam(0.01)
    trainer, state = start(NET, tx, diagnostics=False)
    step = jax.jit(trainer.step)
    data = examples(25)
    order = epoch_order(KEY, 25, 10, remainder="weight")
    want = state
    for indices, weights in zip(order.indices, order.weights, strict=True):
        rows = {name: values[indices] for name, values in data.items()}
        want, _ = step(want, {**rows, "weight": weights}, KEY)
    for unroll in (1, True):
        epoch = jax.jit(functools.partial(training.train_epoch, trainer, unroll=unroll))
        got, metrics = epoch(state, jax.tree.map(jnp.asarray, data), order, key=KEY)
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)
        assert metrics["weight"].tolist() == [10.0, 10.0, 5.0]


@pytest.mark.slow
def test_epoch_keeps_the_state_before_the_first_nan():
    tx = optimizers.gradient_descent(lambda count: jnp.where(count == 2, jnp.nan, 0.1))
    trainer, state = start(Net(), tx)
    epoch = jax.jit(functools.partial(training.train_epoch, trainer))
    data, order = jax.tree.map(jnp.asarray, examples(40)), epoch_order(KEY, 40, 10)
    end, metrics = epoch(state, data, order, key=KEY)
    first_two = jax.tree.map(lambda x: x[:2], order)
    want, _ = epoch(state, data, first_two, key=KEY)
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
    run = functools.partial(run_of, net=Net())  # which compiles sooner
    result = run(epochs=30, stopping=rule, monitor="accuracy")
    epochs = int(result.epochs)
    accuracy = np.asarray(result.validation["accuracy"])
    assert 3 <= epochs < 30 and np.nanmax(accuracy) > 0.9
    assert np.isfinite(accuracy[:epochs]).all() and np.isnan(accuracy[epochs:]).all()
    best = int(np.nanargmax(accuracy))
    assert int(result.position.stopping.best_observation) == best + 1 and epochs == best + 4
    assert int(result.state.step) == 6 * epochs
    want = training.variables(run(epochs=best + 1).state)
    chex.assert_trees_all_close(result.best_variables, want, rtol=1e-5, atol=1e-6)
    held = run(epochs=30, stopping=rule, monitor="accuracy", after_stop="last")
    after = np.asarray(held.validation["accuracy"])
    np.testing.assert_array_equal(after[:epochs], accuracy[:epochs])
    assert set(after[epochs:].tolist()) == {float(accuracy[epochs - 1])}


@pytest.mark.slow
def test_a_run_goes_on_bit_for_bit_where_another_ended():
    rules = {
        "plateau": control.plateau(0.5, patience=0, threshold=0.6),
        "stopping": control.early_stopping(patience=9),
    }
    whole = run_of(epochs=5, **rules)
    first = run_of(epochs=2, **rules)
    rest = run_of(epochs=3, begun=first.position, **rules)
    chex.assert_trees_all_equal(rest.position, whole.position)
    joined = jnp.concatenate([first.validation["loss"], rest.validation["loss"]])
    chex.assert_trees_all_equal(joined, whole.validation["loss"])
    assert float(whole.state.learning_rate_scale) < 1


@pytest.mark.slow
def test_plateau_scales_the_updates_of_the_next_epochs():
    plateau = control.plateau(0.0, patience=0, threshold=1e9)
    result = run_of(epochs=4, net=Net(), plateau=plateau)
    want = run_of(epochs=2, net=Net())
    assert float(result.state.learning_rate_scale) == 0.0
    chex.assert_trees_all_close(result.state.params, want.state.params, rtol=1e-6)


def logits_of_pixels(params, model_state, batch, keys, *, train):
    """A loss without layers: what follows is about many runs, and compiles several of them."""
    pixels = batch["image"].reshape(len(batch["image"]), -1) / 255
    loss = optax.softmax_cross_entropy_with_integer_labels(pixels @ params, batch["label"])
    return loss, (model_state, {})


def one_run(key, rate, data):
    """Stops early at rates that do not help; the epochs are in an order of the key's own."""
    trainer = pixel_trainer(rate)
    start = trainer.init({"params": jnp.zeros((12, 3))})
    options = {"epochs": 6, "batch_size": 10, "stopping": control.early_stopping(patience=0)}
    result = training.run(trainer, start, data, data, key=key, **options)
    return result.state.params, result.epochs


def pixel_trainer(rate):
    """Gradient descent on the pixels."""
    tx = optimizers.gradient_descent(rate)
    return training.trainer(logits_of_pixels, tx, rng_streams=(), diagnostics=False)


@pytest.mark.slow
def test_a_stopped_run_freezes_while_others_go_on():
    data, rates = examples(30), jnp.array([0.0, 0.1, 300.0])
    together, epochs = jax.jit(jax.vmap(one_run, (None, 0, None)))(KEY, rates, data)
    assert len(set(epochs.tolist())) > 2
    alone = jax.jit(one_run)
    for i, rate in enumerate(rates):
        params, ended = alone(KEY, rate, data)
        assert int(ended) == int(epochs[i])
        chex.assert_trees_all_close(together[i], params, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
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
            one_run, keys, rates, shared=shared, mapping="vmap", chunk=chunk
        )
        chex.assert_trees_all_close(mapped, (params, epochs), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_population_goes_on_bit_for_bit_from_the_states_that_it_returned():
    keys, rates = jax.random.split(KEY, 3), jnp.array([0.1, 1.0, 9.0])
    shared, options = (jax.tree.map(jnp.asarray, examples(24)),), {"batch_size": 10}

    def begin(key, rate, data):
        trainer = pixel_trainer(rate)
        start = trainer.init({"params": jnp.zeros((12, 3))})
        return training.run(trainer, start, data, data, key=key, epochs=2, **options)

    def go_on(key, rate, position, data):
        return training.run(pixel_trainer(rate), position, data, data, key=key, epochs=3, **options)

    def whole(key, rate, data):
        trainer = pixel_trainer(rate)
        start = trainer.init({"params": jnp.zeros((12, 3))})
        return training.run(trainer, start, data, data, key=key, epochs=5, **options)

    first = training.train_population(begin, keys, rates, shared=shared)
    order = np.array([2, 0])  # the best go on
    positions = jax.tree.map(lambda x: x[order], first.position)
    rest = training.train_population(
        go_on, keys[order], rates[order], states=positions, shared=shared
    )
    want = training.train_population(whole, keys, rates, shared=shared)
    chex.assert_trees_all_equal(rest.position, jax.tree.map(lambda x: x[order], want.position))
    chex.assert_trees_all_equal(rest.validation["loss"], want.validation["loss"][order, 2:])
    with pytest.raises(ValueError, match=r"states.* must have a row for each of 3 keys, got 2"):
        training.train_population(go_on, keys, rates, states=positions, shared=shared)


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
        pytest.raises(ValueError, match="mapping must be one of 'map', 'vmap', got 'scan'"),
    ):
        training.train_population(run, keys, jnp.ones(3), mapping="scan")
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
        run_of(epochs=0)


def test_hyper_parameters_need_an_axis_of_trials():
    keys = jax.random.split(KEY, 3)
    for rate in (0.1, jnp.float32(0.1)):
        with pytest.raises(TypeError, match=r"hyper_parameters\['rate'\] must be an array .*0.1"):
            training.train_population(one_run, keys, {"rate": rate})


def test_what_a_run_cannot_use_is_refused_when_it_is_traced():
    def run_of(train, **options):
        trainer = training.trainer(squared, optimizers.gradient_descent(0.1), rng_streams=())
        settings = {"epochs": 1, "batch_size": 2, **options}
        run = functools.partial(training.run, trainer, key=KEY, **settings)
        jax.eval_shape(run, trainer.init({"params": jnp.zeros(())}), train, X)

    def squared(params, model_state, batch, keys, *, train):
        return (params - batch["x"]) ** 2, (model_state, {})

    X = {"x": jnp.ones(4)}
    with pytest.raises(ValueError, match="monitor must be one of .*'loss'.*, got 'accuracy'"):
        run_of(X, monitor="accuracy")
    with pytest.raises(ValueError, match="batch_size must be at most the 4 examples, got 5"):
        run_of(X, batch_size=5)
    with pytest.raises(ValueError, match="train must have arrays of one length, .*'y': 9"):
        run_of({**X, "y": jnp.ones(9)})


@pytest.mark.parametrize("dtype", ["int8", "int32", "bool", "float16", "bfloat16", "float32"])
def test_means_over_steps_have_weights_of_any_dtype(dtype):
    """Metrics were rounded to whole numbers where the weights were; 120,000 is no float16."""
    steps = {"loss": jnp.array([1.5, 4.5, jnp.nan]), "count": jnp.array([1, 2, 3])}
    scale = 60_000 if dtype in ("float16", "int32") else 1
    weights = [1, 1, 0] if dtype == "bool" else [3 * scale, scale, 0]
    if dtype == "float16":
        weights = [scale, scale, 0]
    means = training.mean_over_steps({**steps, "weight": jnp.array(weights, dtype)})
    share = np.array(weights) / sum(weights)
    want = {"loss": share @ [1.5, 4.5, 0], "count": share @ [1, 2, 3], "weight": sum(weights)}
    assert {name: float(value) for name, value in means.items()} == pytest.approx(want, rel=1e-3)
