"""What a run writes, how it goes on, and what it refuses."""

import collections
import json
import os
import sys
import types

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging
from jaxtricks.control import early_stopping, plateau
from jaxtricks.optimizers import adam
from jaxtricks.training import (
    NoIntactCheckpoint,
    NonFiniteError,
    Trainer,
    data_sharding,
    fit,
    restore,
    trainer,
    variables,
)

KEY = jax.random.key(0)
NUMBERS = {"x": np.arange(8, dtype=np.float32)}


def distance(params, model_state, batch, keys, *, train):
    noise = jax.random.normal(keys["noise"], ()) if train else 0.0
    return (params["w"] - batch["x"] + noise) ** 2, (model_state, {})


def with_rule(tx):
    return trainer(distance, tx, rng_streams=("noise",))


OURS = with_rule(adam(0.1))


def run(epochs, folder=None, *, ours=OURS, train=NUMBERS, **options):
    settings = {"key": KEY, "batch_size": 4, "plateau": plateau(), **options}
    start = ours.init({"params": {"w": jnp.zeros(())}})
    return fit(ours, start, train, NUMBERS, epochs=epochs, folder=folder, **settings)


def records(folder):
    lines = (folder / "history.jsonl").read_text().splitlines()
    assert all("crc32" in json.loads(line) for line in lines)
    return [
        {name: value for name, value in json.loads(line).items() if name != "crc32"}
        for line in lines
    ]


def timeless(history):
    return [{**record, "seconds": None} for record in history]


def same(got, wanted):
    chex.assert_trees_all_equal(got.position, wanted.position)
    assert timeless(got.history) == timeless(wanted.history)


@pytest.mark.slow
def test_a_folder_holds_the_history_and_the_last_and_best_position(tmp_path):
    got = run(4, tmp_path)
    assert records(tmp_path) == got.history
    assert [record["epoch"] for record in got.history] == [1, 2, 3, 4]
    assert [record["step"] for record in got.history] == [2, 4, 6, 8]
    assert {"train.loss", "validation.loss", "seconds"} < set(got.history[0])
    losses = [record["validation.loss"] for record in got.history]
    assert restore(tmp_path / "checkpoints", got.position).step == 8
    best = restore(tmp_path / "checkpoints", got.position, which="best")
    assert best.step == 2 * (1 + int(np.argmin(losses)))
    model = restore(tmp_path / "checkpoints", got.state, which="best", part=".state").tree
    chex.assert_trees_all_equal(model, best.tree.state)
    same(got, run(4))


@pytest.mark.slow
def test_the_best_variables_are_read_without_the_data(tmp_path):
    got = run(4, tmp_path, save_every=3)
    like = {"params": {"w": np.float32(0)}}
    best = restore(tmp_path / "checkpoints", like, part=".stopping.best_variables").tree
    chex.assert_trees_all_equal(best, got.best_variables)


@pytest.mark.slow
@pytest.mark.parametrize("save_every", [1, 3])
def test_more_epochs_go_on_as_if_there_had_been_no_end(tmp_path, save_every):
    run(2, tmp_path, save_every=save_every)
    got = run(5, tmp_path, resume=True, save_every=save_every)
    same(got, run(5))
    assert records(tmp_path) == got.history
    same(run(5, tmp_path, resume=True), got)


@pytest.mark.slow
def test_lines_after_the_checkpoint_and_a_torn_one_are_cut_off(tmp_path):
    wanted = run(3, tmp_path / "whole")
    run(2, tmp_path / "torn")
    with (tmp_path / "torn" / "history.jsonl").open("a") as history:
        history.write('{"epoch": 3, "step": 6}\n{"epoch": 4, "st')
    got = run(3, tmp_path / "torn", resume=True)
    same(got, wanted)
    assert records(tmp_path / "torn") == got.history


@pytest.mark.slow
def test_a_run_that_rule_or_hook_has_ended_stays_ended_or_goes_on(tmp_path):
    rule = early_stopping(0, min_delta=1e6)
    first = run(5, tmp_path / "rule", stopping=rule)
    assert first.epochs == 2
    with pytest.warns(UserWarning, match="had ended the run in .*rule after 2 epochs"):
        assert run(5, tmp_path / "rule", stopping=rule, resume=True).epochs == 2
    hooked = run(5, tmp_path / "hook", save_every=9, on_epoch=lambda epoch, state, record: True)
    assert hooked.epochs == 1
    same(run(3, tmp_path / "hook", resume=True), run(3))


@pytest.mark.slow
def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "history.jsonl").write_text('{"epo')
    same(run(2, tmp_path, resume=True), run(2))


def test_a_folder_with_a_run_is_not_touched(tmp_path):
    run(1, tmp_path)
    before = (tmp_path / "history.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="resume=True"):
        run(2, tmp_path)
    assert (tmp_path / "history.jsonl").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, message",
    [
        ({"train": {"x": np.arange(8, dtype=np.float32) + 1}}, "fit.train.sha256"),
        ({"batch_size": 2}, "fit.batch_size: saved 4, now 2"),
        ({"key": jax.random.key(1)}, "fit.key"),
        ({"configuration": {"rate": 0.2}}, "caller.rate: saved 0.1, now 0.2"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(tmp_path, change, message):
    run(1, tmp_path, configuration={"rate": 0.1})
    before = records(tmp_path)
    with pytest.raises(ValueError, match=message):
        run(2, tmp_path, resume=True, **{"configuration": {"rate": 0.1}, **change})
    assert records(tmp_path) == before


def test_another_rule_is_refused_and_the_difference_named(tmp_path):
    run(1, tmp_path)
    ours = with_rule(optax.sgd(0.1, momentum=0.9))
    with pytest.raises(ValueError, match=r"fit.states: saved .*AdamState.*, now .*TraceState"):
        run(2, tmp_path, ours=ours, resume=True)


@pytest.mark.slow
def test_damaged_checkpoints_are_passed_over_until_there_is_none(tmp_path):
    wanted = run(3, tmp_path)
    newest, *older = sorted((tmp_path / "checkpoints").iterdir(), reverse=True)
    (newest / "meta.json").write_text("{}")
    with pytest.warns(UserWarning, match="were skipped"):
        got = run(3, tmp_path, resume=True)
    same(got, wanted)
    for folder in (tmp_path / "checkpoints").iterdir():
        (folder / "meta.json").write_text("{}")
    before = (tmp_path / "history.jsonl").read_bytes()
    with pytest.raises(NoIntactCheckpoint):
        run(4, tmp_path, resume=True)
    assert (tmp_path / "history.jsonl").read_bytes() == before


def test_a_lost_checkpoint_folder_is_no_beginning(tmp_path):
    run(3, tmp_path)
    (tmp_path / "checkpoints").rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        run(4, tmp_path, resume=True)
    assert len(records(tmp_path)) == 3


@pytest.mark.slow
def test_a_run_that_died_before_its_first_checkpoint_begins_anew(tmp_path):
    def die(epoch, state, record):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        run(3, tmp_path, save_every=3, on_epoch=die)
    assert "or starts anew if it has none" in interrupted.value.__notes__[0]
    same(run(3, tmp_path, save_every=1, resume=True), run(3, None))
    assert len(records(tmp_path)) == 3


@pytest.mark.slow
def test_an_interruption_keeps_the_finished_epochs(tmp_path):
    def interrupt(epoch, state, record):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        run(5, tmp_path, on_epoch=interrupt)
    assert f"{tmp_path} continues from its last checkpoint" in interrupted.value.__notes__[0]
    assert len(records(tmp_path)) == 2
    same(run(5, tmp_path, resume=True), run(5))


def test_a_folder_that_cannot_be_made_is_named_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "run"
    with pytest.raises(OSError, match="cannot be written") as error:
        run(1, folder, on_epoch=lambda *_: pytest.fail("it ran"))
    assert str(folder) in str(error.value)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
def test_a_full_disk_names_the_folder_and_leaves_the_earlier_epochs(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(epoch, state, record):
        if epoch == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))

    try:
        with pytest.raises(OSError) as error:
            run(4, tmp_path, on_epoch=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path) in str(error.value)
    same(run(4, tmp_path, resume=True), run(4))


@pytest.mark.slow
def test_tensorboard_gets_every_number_at_its_step(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            self.folder = folder
            written.append(("purge", purge_step))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            written.append(("closed", error[0]))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def add_histogram(self, name, values, step):
            written.append((name, values.tolist(), step))

        def flush(self):
            pass

    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    got = run(1, tmp_path, tensorboard=True, on_epoch=spread)
    assert ("own/weights", [1.0, 2.0, 3.0], 2) in written
    assert ("own/distance", got.history[0]["own.distance"], 2) in written
    assert ("validation/loss", got.history[0]["validation.loss"], 2) in written
    assert written[0] == ("purge", None) and written[-1] == ("closed", None)
    run(2, tmp_path, tensorboard=True, resume=True, on_epoch=spread)
    assert ("purge", 3) in written
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        run(3, tmp_path, tensorboard=True, resume=True)


def test_without_a_terminal_each_epoch_is_a_line_and_so_is_the_wait_for_the_first(capsys):
    got = run(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 1/2: compiling" and len(lines) == 3
    assert lines[2].startswith("epoch 2/2: train loss ")
    assert f"validation loss {got.history[1]['validation.loss']:.4g}" in lines[2]
    run(2, progress=False)
    assert capsys.readouterr().err == ""


def test_a_run_that_ends_early_says_so(capsys):
    got = run(9, stopping=early_stopping(0, min_delta=1e6))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"ended after 2 of 9 epochs, the best epoch was {got.best_epoch}"


def test_a_bar_is_shown_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run(2)
    shown = capsys.readouterr().err
    assert "compiling" in shown and "2/2" in shown and "validation loss=" in shown


def spread(epoch, state, record):
    return {"own.distance": state.params["w"] ** 2, "own.weights": np.arange(3.0) + epoch}


@pytest.mark.slow
def test_the_caller_s_metrics_are_in_the_history_and_in_a_resumed_one(tmp_path):
    whole = run(3, tmp_path / "whole", on_epoch=spread)
    run(2, tmp_path / "parts", on_epoch=spread)
    resumed = run(3, tmp_path / "parts", on_epoch=spread, resume=True)
    same(resumed, whole)
    assert records(tmp_path / "parts") == resumed.history
    assert resumed.history[1]["own.weights"] == [2.0, 3.0, 4.0]
    last = resumed.history[2]["own.distance"]
    assert last == pytest.approx(float(resumed.state.params["w"]) ** 2, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("said", [True, np.True_, jnp.array(True)])
def test_any_true_ends_the_run(said):
    assert run(3, on_epoch=lambda *_: said).epochs == 1


def test_a_narrow_number_is_a_metric():
    got = run(1, on_epoch=lambda *_: {"own": jnp.bfloat16(0.5)})
    assert got.history[0]["own"] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "said, error, message",
    [
        ({"epoch": 1.0}, ValueError, "must not name a metric 'epoch'"),
        ({"crc32": 1.0}, ValueError, "must not name a metric 'crc32'"),
        ({"own": []}, ValueError, r"must return arrays with entries, got own=\[\]"),
        ({"own": 1j}, TypeError, "real numbers or arrays of them, got own=1j"),
        ({"own": "high"}, TypeError, "real numbers or arrays of them, got own='high'"),
        (3, TypeError, "what on_epoch returns must be a Mapping, got 3"),
    ],
)
def test_what_is_no_metric_is_named(said, error, message):
    with pytest.raises(error, match=message):
        run(1, on_epoch=lambda *_: said)


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["scan", "host"])
@pytest.mark.parametrize("devices", [1, 2])
def test_nan_ends_the_run_with_the_state_before_it(tmp_path, loop, devices):
    """`a` grows by 1 each step; beyond 4.5 the loss, and what it says of `b`, is NaN."""

    def pole(params, model_state, batch, keys, *, train):
        slope = params["b"]["w"] + 0 * params["a"]
        cost = jnp.where(params["a"] > 4.5, jnp.nan, 1.0) * slope
        return cost + 0 * batch["x"], (model_state, {})

    def towards(updates, state, params=None):
        del params
        ones = jax.tree.map(jnp.ones_like, updates)
        return {"a": ones["a"], "b": updates["b"]}, state

    rate = collections.namedtuple("Rate", ["learning_rate"])(jnp.float32(0.5))
    tx = optax.GradientTransformation(lambda params: rate, towards)
    ours = trainer(pole, tx, rng_streams=())
    nothing = {"loss": jnp.zeros(()), "weight": jnp.ones(())}
    ours = Trainer(ours.init, ours.step, lambda variables, batch: nothing, variables)
    state = ours.init({"params": {"a": jnp.zeros(()), "b": {"w": jnp.zeros(())}}})
    sharding = None if devices == 1 else data_sharding()
    with pytest.raises(NonFiniteError, match="step 5 .*'b'.*'w'.* rate 0.5") as error:
        fit(
            ours,
            state,
            NUMBERS,
            NUMBERS,
            key=KEY,
            epochs=9,
            batch_size=2,
            loop=loop,
            sharding=sharding,
            folder=tmp_path,
        )
    found = error.value
    assert (found.step, found.learning_rate, found.path) == (5, 0.5, ".params['b']['w']")
    assert int(found.state.step) == 5 and float(found.state.params["a"]) == 5
    chex.assert_tree_all_finite(found.state)
    assert [record["epoch"] for record in records(tmp_path)] == [1]
    assert restore_step(tmp_path) == 4


def restore_step(folder):
    names = [path.name for path in (folder / "checkpoints").iterdir()]
    return max(int(name) for name in names)


@pytest.mark.slow
def test_an_average_of_another_kind_is_not_gone_on_with(tmp_path):
    """Both keep a count and an average, so that shapes and names are the same."""

    def with_average(averager):
        return trainer(distance, adam(0.1), rng_streams=("noise",), averager=averager)

    run(1, tmp_path, ours=with_average(averaging.exponential_average(0.9)))
    with pytest.raises(
        ValueError, match="fit.states: .*ExponentialAverageState.*PolyakAverageState"
    ):
        run(2, tmp_path, ours=with_average(averaging.polyak_average()), resume=True)


def test_a_nan_in_validation_is_not_called_one_of_training(tmp_path):
    start = OURS.init({"params": {"w": jnp.zeros(())}})
    bad = {**NUMBERS, "x": np.where(NUMBERS["x"] > 6, np.float32(1e30), NUMBERS["x"])}
    with pytest.raises(NonFiniteError, match="validation.loss is NaN or infinite after 2 updates"):
        fit(OURS, start, NUMBERS, bad, key=KEY, epochs=1, batch_size=4)
