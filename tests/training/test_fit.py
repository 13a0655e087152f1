import functools
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models, training
from jaxtricks.control import early_stopping, plateau
from jaxtricks.data import epoch_order
from jaxtricks.training import Trainer, TrainState, data_sharding, fit, run, trainer
from jaxtricks.training.loop import _fit
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


def run_fit(ours, state, *, train=TRAIN, validation=VALIDATION, **options):
    settings = {"key": KEY, "epochs": EPOCHS, "batch_size": BATCH, **options}
    return fit(ours, state, train, validation, **settings)


@pytest.fixture(scope="module")
def wanted():
    ours, state = parts()
    whole = functools.partial(run, ours, epochs=EPOCHS, batch_size=BATCH, **rules())
    return jax.jit(whole)(state, TRAIN, VALIDATION, key=KEY)


def agree(got, wanted):
    for split in ("train", "validation"):
        for name, values in getattr(wanted, split).items():
            column = [record[f"{split}.{name}"] for record in got.history]
            one_picture = 1.01 / 33 if name == "accuracy" else 1e-6
            np.testing.assert_allclose(column, values, rtol=2e-5, atol=one_picture, err_msg=name)
    chex.assert_trees_all_close(
        jax.device_get(got.position),
        jax.device_get(wanted.position),
        rtol=2e-4,
        atol=1e-5,
    )


def rules():
    return {
        "plateau": plateau(0.5, patience=0, threshold=0.5),
        "stopping": early_stopping(EPOCHS),
    }


def test_scan_gives_the_numbers_of_run(wanted):
    ours, state = parts()
    got = run_fit(ours, state, **rules())
    agree(got, wanted)
    assert got.epochs == int(wanted.epochs) == EPOCHS
    assert float(got.state.learning_rate_scale) < 1
    assert got.best_epoch == int(got.position.stopping.best_observation)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


@pytest.mark.slow
def test_host_gives_the_numbers_of_run_from_rows_alone(wanted):
    ours, state = parts()
    train, validation = Rows(TRAIN), Rows(VALIDATION)
    got = run_fit(
        ours,
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
    asked = sorted(indices.tolist() for indices in train.asked[-5 * EPOCHS :])  # in two threads
    assert asked == sorted(np.concatenate(orders).tolist())
    assert max(map(len, train.asked)) == BATCH
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
def test_without_a_loop_rows_are_read_on_the_host(wanted, sharded):
    sharding = data_sharding() if sharded else None
    rows = {"train": Rows(TRAIN), "validation": Rows(VALIDATION)}
    agree(run_fit(*parts(), **rows, sharding=sharding, **rules()), wanted)


@pytest.mark.slow
def test_without_a_loop_a_native_convolution_is_kept_out_of_loops(monkeypatch):
    loops = []
    for name in ("scan_loop", "host_loop"):
        loop = getattr(_fit, name)
        monkeypatch.setattr(_fit, name, lambda *args, loop=loop: loops.append(loop) or loop(*args))
    for algorithm in ("patches", "native"):
        model = models.SmallCNN((2,), classes=3, algorithm=algorithm)
        image = jnp.zeros((1, 4, 4, 1))
        variables = jax.jit(functools.partial(model.init, train=False))(KEY, image)
        ours = trainer(training.classification_loss(model), optax.sgd(0.1))
        run_fit(ours, ours.init(variables), epochs=1)
    assert [loop.__name__ for loop in loops] == ["scan_loop", "host_loop"]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_source_that_fails_is_heard_of_and_leaves_no_thread(part):
    ours, state = parts()

    class Broken(Rows):
        def __getitem__(self, indices):
            if threading.current_thread() is not threading.main_thread() and 40 in indices:
                raise OSError("row 40 cannot be read")
            return super().__getitem__(indices)

    sources = {"train": Rows(TRAIN), "validation": Rows(TRAIN)}
    sources[part] = Broken(TRAIN)
    before = threading.active_count()
    with pytest.raises(OSError, match="row 40"):
        run_fit(ours, state, **sources, loop="host")
    assert threading.active_count() == before


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["scan", "host"])
def test_two_devices_give_the_numbers_of_one(wanted, loop):
    agree(run_fit(*parts(), loop=loop, sharding=data_sharding(), **rules()), wanted)


@pytest.mark.slow
def test_a_trainer_with_an_axis_trains_on_two_devices_under_pmap():
    got = run_fit(*parts(axis_name="devices"))
    first, last = got.history[0], got.history[-1]
    assert last["validation.loss"] < first["validation.loss"]
    assert {record["train.weight"] for record in got.history} == {len(TRAIN["label"])}


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["scan", "host"])
@pytest.mark.parametrize("size", [1, 15, 33])
def test_validation_counts_every_example_once_on_two_devices(loop, size):
    state = TrainState(jnp.int32(0), {}, {}, (), jnp.float32(1))

    def nothing(state, batch, key):
        del key
        return state, {"non_finite": jnp.zeros((), jnp.int32), "weight": jnp.sum(batch["weight"])}

    def count(variables, batch):
        number = batch["weight"] * jnp.asarray(batch["number"], jnp.float32)
        return {"loss": jnp.sum(number), "weight": jnp.sum(batch["weight"])}

    validation = {**examples(size, 1), "number": np.arange(1, size + 1)}
    ours = Trainer(lambda variables: state, nothing, count, training.variables)
    options = {"epochs": 1, "loop": loop, "sharding": data_sharding()}
    got = run_fit(ours, state, validation=validation, **options)
    assert got.history[0]["validation.loss"] == pytest.approx((size + 1) / 2)


def test_the_last_batch_of_an_epoch_counts_by_its_examples():
    got = run_fit(*parts(), epochs=1)
    assert got.history[0]["train.weight"] == len(TRAIN["label"]) == 4 * BATCH + 8


def test_early_stopping_ends_the_run_with_either_exit():
    rule = early_stopping(1, min_delta=10.0)
    got = run_fit(*parts(), epochs=9, stopping=rule)
    assert (got.epochs, got.best_epoch, len(got.history)) == (3, 1, 3)
    once = run_fit(*parts(), epochs=1)
    chex.assert_trees_all_equal(got.best_variables, once.best_variables)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_equal(got.best_variables["params"], got.state.params)


def test_the_hook_sees_every_epoch_and_can_end_the_run():
    seen = []

    def hook(epoch, state, record):
        seen.append((epoch, int(state.step), record["epoch"], record["step"]))
        return epoch == 2

    got = run_fit(*parts(), on_epoch=hook)
    assert seen == [(1, 5, 1, 5), (2, 10, 2, 10)]
    assert got.epochs == 2


@pytest.mark.slow
def test_a_run_of_which_the_stopping_rule_saw_no_epoch_has_no_best_model():
    ours, state = parts()
    options = {"key": jax.random.key(0), "epochs": 2, "batch_size": BATCH, "progress": False}
    some = examples(24, 0)
    end = fit(ours, state, some, some, stopping=early_stopping(1, start_from=5), **options)
    assert end.best_epoch is None and end.best_variables is None
