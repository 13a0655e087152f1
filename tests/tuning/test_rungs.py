"""Successive halving: the best go on bit for bit and the others end, interrupted or not."""

import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import _json_lines, tuning

KEY = jax.random.key(2)
SPACE = {"rate": tuning.log_uniform(1e-3, 2.0), "size": tuning.choice((2, 3), static=True)}
RUNGS = (1, 3, 7)


def run(key, trial, position, epochs, scale):
    """Noisy gradient descent on a parabola; the position has the weights and how far it is."""
    if position is None:
        position = {"w": jax.random.normal(key, (trial["size"],)), "epoch": jnp.zeros((), int)}

    def step(position, _):
        noise = jax.random.normal(jax.random.fold_in(key, position["epoch"]), (trial["size"],))
        w = position["w"] - trial["rate"] * (2 * position["w"] + 0.1 * noise)
        return {"w": w, "epoch": position["epoch"] + 1}, scale * jnp.mean(w**2)

    position, losses = jax.lax.scan(step, position, length=epochs)
    return {"loss": losses, "end": position["epoch"]}, position


def find(rungs=RUNGS, trials=18, run=run, space=SPACE, **options):
    return tuning.search(
        KEY, run, space, trials, rungs=rungs, shared=(jnp.float32(2.0),), progress=False, **options
    )


def same(a, b):
    chex.assert_trees_all_equal(a.table, b.table)
    chex.assert_trees_all_equal(a.curves, b.curves)


def test_the_best_third_goes_on_bit_for_bit_and_the_others_end():
    found, all_of_them = find(), find((7,))
    curves, want = found.curves["loss"], all_of_them.curves["loss"]
    assert curves.shape == want.shape == (18, 7)
    alive, before = np.arange(18), 0
    for rung, end in enumerate(RUNGS):
        if rung:
            order = np.argsort(want[alive, before - 1], kind="stable")
            alive = np.sort(alive[order[: -(-len(alive) // 3)]])
        np.testing.assert_array_equal(curves[alive, before:end], want[alive, before:end])
        others = np.setdiff1d(np.arange(18), alive)
        assert np.isnan(curves[others, before:end]).all()
        before = end
    assert len(alive) == 2
    epochs = np.isfinite(curves).sum(axis=1)
    np.testing.assert_array_equal(found.table["epochs"], epochs)
    np.testing.assert_array_equal(found.table["end"], epochs)
    np.testing.assert_array_equal(found.table["loss"], curves[np.arange(18), epochs - 1])


def test_the_best_is_among_those_that_were_trained_to_the_end():
    def rises(key, trial, position, epochs, scale):
        """Everyone's loss is larger the longer it is trained."""
        begun = jnp.zeros(()) if position is None else position
        return {"loss": begun + trial["rate"] + epochs}, begun + epochs

    found = find(run=rises)
    chosen = tuning.best(found)
    assert found.table["epochs"][chosen.trial] == 7
    assert chosen.score > found.table["loss"].min()
    fine = tuning.narrow(SPACE, found.table, 2, margin=0.0)["rate"]
    finalists = found.table["rate"][found.table["epochs"] == 7]
    assert (fine.low, fine.high) == pytest.approx((finalists.min(), finalists.max()))


def test_reduction_and_the_largest_choose():
    def upside_down(*arguments):
        results, position = run(*arguments)
        return {"score": -results["loss"]}, position

    found = find((1, 2), reduction=6)
    assert (found.table["epochs"] == 2).sum() == 3
    score = find((1, 2), run=upside_down, by="score", largest=True, reduction=6)
    np.testing.assert_array_equal(found.table["epochs"], score.table["epochs"])


@pytest.mark.parametrize("options", [{"chunk": 1}, {"chunk": 4}, {"devices": 1}])
def test_chunks_and_devices_change_nothing(options):
    if "devices" in options:
        options = {"devices": jax.devices()[:1]}
    same(find(**options), find())


class Stop(Exception):
    """In place of a kill."""


@pytest.mark.slow
@pytest.mark.parametrize("calls", range(2, 12))
@pytest.mark.parametrize("written", [False, True])
def test_an_interrupted_search_goes_on_to_the_same_table(tmp_path, monkeypatch, calls, written):
    """It ends at each of its writes, before or after it."""
    append, left = _json_lines.append, [calls]

    def stops(path, records):
        left[0] -= 1
        if written and not left[0]:
            append(path, records)
        if not left[0]:
            raise Stop
        append(path, records)

    monkeypatch.setattr(_json_lines, "append", stops)
    try:
        find(chunk=4, folder=tmp_path)
    except Stop:
        pass
    else:
        assert left[0] > 0
    monkeypatch.undo()
    same(find(chunk=3, folder=tmp_path, resume=True), find())
    same(find(folder=tmp_path, resume=True), find())


@pytest.mark.slow
def test_lost_positions_and_damaged_lines_are_run_again(tmp_path):
    want = find(folder=tmp_path)
    file = tmp_path / "search.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))  # the last trial of the last rung
    shutil.rmtree(tmp_path / "positions")
    same(find(folder=tmp_path, resume=True), want)


@pytest.mark.slow
def test_a_position_in_the_place_of_another_is_run_again(tmp_path, monkeypatch):
    append, want = _json_lines.append, find()

    def stops(path, records):
        if any(record.get("rung") == 1 for record in records):
            raise Stop
        append(path, records)

    monkeypatch.setattr(_json_lines, "append", stops)
    with pytest.raises(Stop):
        find(chunk=4, folder=tmp_path)
    monkeypatch.undo()
    first, second, *_ = sorted((tmp_path / "positions").glob("0-*"))
    first.rename(tmp_path / "kept.npz")
    second.rename(first)
    (tmp_path / "kept.npz").rename(second)
    same(find(chunk=4, folder=tmp_path, resume=True), want)


def test_keys_in_positions_lie_on_several_devices(tmp_path):
    def keyed(key, trial, position, epochs, scale):
        position = {"w": scale, "key": key} if position is None else position
        next_key, draw_key = jax.random.split(position["key"])
        w = position["w"] * trial["rate"] + jax.random.normal(draw_key, (trial["size"],)).sum()
        return {"loss": w}, {"w": w, "key": next_key}

    want = find((1, 2, 3), 11, keyed, reduction=2, folder=tmp_path, chunk=4)
    file = tmp_path / "search.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    same(find((1, 2, 3), 11, keyed, reduction=2, folder=tmp_path, resume=True), want)


def test_a_leaf_that_only_later_rungs_take_is_taken():
    def later(key, x, position, epochs):
        started = jnp.zeros(()) if position is None else position * x["decay"]
        return {"loss": started + x["x"]}, started + x["x"]

    space = {"x": tuning.uniform(0, 1), "decay": tuning.uniform(0, 1)}
    found = tuning.search(KEY, later, space, 6, rungs=(1, 2), progress=False)
    assert (found.table["epochs"] == 2).sum() == 2
    with pytest.raises(ValueError, match="nothing depends on 'decay'"):
        tuning.search(KEY, later, space, 6, rungs=(1,), progress=False)


def test_a_leaf_that_only_the_last_rung_takes_is_taken():
    def late(key, trial, position, epochs, scale):
        w = jnp.zeros(()) if position is None else position
        return {"loss": w + trial["rate"] * (epochs == 4)}, w + scale

    found = find(run=late, space={"rate": tuning.uniform(0.0, 1.0)})
    assert (found.table["epochs"] == 7).sum() == 2


@pytest.mark.slow
def test_positions_that_a_kill_left_behind_are_removed(tmp_path):
    find(folder=tmp_path)
    (tmp_path / "positions" / "0-99-deadbeef.npz").write_bytes(b"half a file")
    find(folder=tmp_path, resume=True)
    assert not list(tmp_path.glob("positions/0-*"))


@pytest.mark.slow
def test_positions_of_finished_rungs_are_removed(tmp_path):
    find(folder=tmp_path)
    assert {path.name[0] for path in (tmp_path / "positions").iterdir()} == {"2"}


def test_the_progress_says_which_rung_it_is(capsys):
    tuning.search(KEY, run, SPACE, 6, rungs=(1, 2), shared=(jnp.float32(2.0),))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("search: 2 of 2 trials in rung 2 of 2, best loss ")


def test_what_is_not_finite_does_not_go_on():
    def half(key, trial, position, epochs, scale):
        results, position = run(key, trial, position, epochs, scale)
        bad = jax.random.uniform(key) < 0.9
        return {"loss": jnp.where(bad, jnp.nan, results["loss"])}, position

    found = find((1, 2), reduction=2, run=half)
    assert 0 < (found.table["epochs"] == 2).sum() == np.isfinite(found.curves["loss"][:, 0]).sum()

    def nothing(key, trial, position, epochs, scale):
        return {"loss": jnp.full(epochs, jnp.nan) * trial["rate"]}, jnp.zeros(1)

    with pytest.warns(UserWarning, match="none of the 18 trials"):
        assert (find(run=nothing).table["epochs"] == 1).all()


def test_other_rungs_are_another_search(tmp_path):
    find((1, 2), 3, folder=tmp_path)
    others = ({"reduction": 2}, {"largest": True}, {"rungs": (1, 3)}, {"rungs": (2,)})
    for options in ({"rungs": (1, 2), **other} for other in others):
        with pytest.raises(ValueError, match="another search"):
            find(trials=3, folder=tmp_path, resume=True, **options)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"rungs": ()}, ValueError, "rungs must be increasing"),
        ({"rungs": (3, 1)}, ValueError, "rungs must be increasing"),
        ({"rungs": (0, 1)}, ValueError, r"rungs\[0\] must be at least 1"),
        ({"rungs": 3}, TypeError, "rungs"),
        ({"reduction": 1}, ValueError, "reduction must be at least 2"),
        ({"run": lambda key, t, *rest: (t["rate"], None)}, TypeError, "run must return a position"),
        ({"run": lambda *arguments: 1.0}, TypeError, r"run must return \(results, position\)"),
    ],
)
def test_bad_values_are_named(options, error, message):
    with pytest.raises(error, match=message):
        find(**options)
