import functools
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models
from jaxtricks.control import early_stopping, plateau
from jaxtricks.data import epoch_order
from jaxtricks.training import (
    _loops,
    classification_loss,
    data_sharding,
    fit,
    init_state,
    jit_step,
    make_eval_step,
    make_run,
    make_train_epoch,
    make_train_step,
    pmap_step,
    shard_step,
)
from tests.training.small_run import BATCH, EPOCHS, examples, parts

KEY = jax.random.key(3)
TRAIN, VALIDATION = examples(72, 0), examples(33, 1)


class Rows:
    """A source without arrays of its own."""

    def __init__(self, columns):
        self.columns = columns
        self.asked = []

    def __len__(self):
        return len(self.columns["label"])

    def __getitem__(self, indices):
        self.asked.append(np.asarray(indices))
        return {name: values[indices] for name, values in self.columns.items()}


def run_fit(step, eval_step, state, *, train=TRAIN, validation=VALIDATION, **options):
    settings = {"key": KEY, "epochs": EPOCHS, "batch_size": BATCH, **options}
    return fit(step, eval_step, state, train, validation, **settings)


@pytest.fixture(scope="module")
def wanted():
    step, eval_step, state = parts()
    run = make_run(
        make_train_epoch(step),
        eval_step,
        epochs=EPOCHS,
        batch_size=BATCH,
        plateau=plateau(0.5, patience=0, threshold=0.5),
        stopping=early_stopping(EPOCHS),
    )
    return jax.jit(run)(state, TRAIN, VALIDATION, KEY)


def agree(got, wanted):
    for split in ("train", "validation"):
        for name, values in getattr(wanted, split).items():
            column = [record[f"{split}.{name}"] for record in got.history]
            one_picture = 1.01 / 33 if name == "accuracy" else 1e-6
            np.testing.assert_allclose(column, values, rtol=2e-5, atol=one_picture, err_msg=name)
    chex.assert_trees_all_close(
        jax.device_get((got.state, got.stopping)),
        jax.device_get((wanted.state, wanted.stopping)),
        rtol=2e-4,
        atol=1e-5,
    )


def rules():
    return {
        "plateau": plateau(0.5, patience=0, threshold=0.5),
        "stopping": early_stopping(EPOCHS),
    }


def test_scan_gives_the_numbers_of_make_run(wanted):
    step, eval_step, state = parts()
    got = run_fit(step, eval_step, state, **rules())
    agree(got, wanted)
    assert got.epochs == EPOCHS
    assert float(got.state.learning_rate_scale) < 1
    chex.assert_trees_all_equal(got.best, got.stopping.best_variables)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_host_gives_the_numbers_of_make_run_from_rows_alone(wanted):
    step, eval_step, state = parts()
    train, validation = Rows(TRAIN), Rows(VALIDATION)
    got = run_fit(
        jit_step(step),
        eval_step,
        state,
        train=train,
        validation=validation,
        loop="host",
        **rules(),
    )
    agree(got, wanted)
    order_key, _ = jax.random.split(KEY)
    orders = [
        epoch_order(jax.random.fold_in(order_key, i), 72, BATCH, remainder="weight").indices
        for i in range(EPOCHS)
    ]
    np.testing.assert_array_equal(train.asked[-5 * EPOCHS :], np.concatenate(orders))
    assert max(map(len, train.asked)) == BATCH
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize("sharded", [False, True])
def test_without_a_form_rows_are_trained_on_by_a_step_that_fit_compiles(wanted, sharded):
    step, eval_step, state = parts()
    sharding = data_sharding() if sharded else None
    rows = {"train": Rows(TRAIN), "validation": Rows(VALIDATION)}
    agree(run_fit(step, eval_step, state, **rows, sharding=sharding, **rules()), wanted)


def test_without_a_form_a_native_convolution_is_kept_out_of_loops(monkeypatch):
    forms = []
    for name in ("scan_loop", "host_loop"):
        whole = getattr(_loops, name)
        monkeypatch.setattr(
            _loops, name, lambda *args, whole=whole: forms.append(whole) or whole(*args)
        )
    for form in ("patches", "native"):
        model = models.SmallCNN((2,), classes=3, form=form)
        image = jnp.zeros((1, 4, 4, 1))
        params = jax.jit(functools.partial(model.init, train=False))(KEY, image)["params"]
        loss, tx = classification_loss(model), optax.sgd(0.1)
        step, eval_step = make_train_step(loss, tx), make_eval_step(loss)
        run_fit(step, eval_step, init_state(params, tx), epochs=1)
    assert [whole.__name__ for whole in forms] == ["scan_loop", "host_loop"]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_source_that_fails_is_heard_of_and_leaves_no_thread(part):
    step, eval_step, state = parts()

    class Broken(Rows):
        def __getitem__(self, indices):
            if threading.current_thread() is not threading.main_thread() and 40 in indices:
                raise OSError("row 40 cannot be read")
            return super().__getitem__(indices)

    sources = {"train": Rows(TRAIN), "validation": Rows(TRAIN)}
    sources[part] = Broken(TRAIN)
    before = threading.active_count()
    with pytest.raises(OSError, match="row 40"):
        run_fit(jit_step(step), eval_step, state, **sources, loop="host")
    assert threading.active_count() == before


@pytest.mark.parametrize("loop", ["scan", "host"])
def test_two_devices_give_the_numbers_of_one(wanted, loop):
    step, eval_step, state = parts()
    sharding = data_sharding()
    step = step if loop == "scan" else shard_step(step, sharding)
    agree(run_fit(step, eval_step, state, loop=loop, sharding=sharding, **rules()), wanted)


def test_pmap_step_trains_on_two_devices():
    step, eval_step, state = parts(axis_name="devices")
    got = run_fit(pmap_step(step), eval_step, state, loop="host")
    first, last = got.history[0], got.history[-1]
    assert last["validation.loss"] < first["validation.loss"]
    assert {record["train.weight"] for record in got.history} == {len(TRAIN["label"])}


@pytest.mark.parametrize("loop", ["scan", "host"])
@pytest.mark.parametrize("size", [1, 15, 33])
def test_validation_counts_every_example_once_on_two_devices(loop, size):
    state, sharding = init_state({}, optax.identity()), data_sharding()

    def nothing(state, batch, key):
        del key
        return state, {"non_finite": jnp.zeros((), jnp.int32), "weight": jnp.sum(batch["weight"])}

    def count(state, batch):
        number = batch["weight"] * jnp.asarray(batch["number"], jnp.float32)
        return {"loss": jnp.sum(number), "weight": jnp.sum(batch["weight"])}

    validation = {**examples(size, 1), "number": np.arange(1, size + 1)}
    step = nothing if loop == "scan" else shard_step(nothing, sharding)
    got = run_fit(step, count, state, validation=validation, epochs=1, loop=loop, sharding=sharding)
    assert got.history[0]["validation.loss"] == pytest.approx((size + 1) / 2)


def test_the_last_batch_of_an_epoch_counts_by_its_examples():
    step, eval_step, state = parts()
    got = run_fit(step, eval_step, state, epochs=1)
    assert got.history[0]["train.weight"] == len(TRAIN["label"]) == 4 * BATCH + 8


def test_early_stopping_ends_the_run_with_either_exit():
    step, eval_step, state = parts()
    rule = early_stopping(1, min_delta=10.0)
    got = run_fit(step, eval_step, state, epochs=9, stopping=rule)
    assert (got.epochs, int(got.stopping.best_observation), len(got.history)) == (3, 1, 3)
    once = run_fit(step, eval_step, state, epochs=1)
    chex.assert_trees_all_equal(got.best, once.best)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_equal(got.best["params"], got.state.params)


def test_the_hook_sees_every_epoch_and_can_end_the_run():
    step, eval_step, state = parts()
    seen = []

    def hook(epoch, state, record):
        seen.append((epoch, int(state.step), record["epoch"], record["step"]))
        return epoch == 2

    got = run_fit(step, eval_step, state, on_epoch=hook)
    assert seen == [(1, 5, 1, 5), (2, 10, 2, 10)]
    assert got.epochs == 2
