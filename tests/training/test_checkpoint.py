"""Checkpoints: exact round trips, damage, retention, wrong configurations and trees."""

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxtricks.training import NoIntactCheckpoint, restore, save, trainer
from jaxtricks.training.checkpoint._manifest import seal, verify

WEIGHTS = {"w": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(4, np.float32)}


class Pair(NamedTuple):
    left: object
    right: object


def bits(leaf):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf).tobytes()


def no_loss(params, model_state, batch, keys, *, train):
    raise AssertionError("not called")


def everything():
    params = {"dense": {"kernel": jax.random.normal(jax.random.key(1), (3, 4)), "none": None}}
    tx = optax.chain(
        optax.masked(optax.trace(0.9), {"dense": {"kernel": True, "none": None}}),
        optax.inject_hyperparams(optax.adam)(1e-3),
        optax.add_noise(0.1, 0.5, key=jax.random.key(3)),
    )
    return {
        "state": trainer(no_loss, tx).init({"params": params, "batch_stats": {}}),
        "pair": Pair(jnp.full((5,), jnp.nan, jnp.bfloat16), (jnp.array(True), None, {})),
        "keys": jax.random.split(jax.random.key(7), 3),
        "rbg": jax.random.key(8, impl="rbg"),
        "no keys": jax.random.split(jax.random.key(7), 0),
        "empty": jnp.zeros((0, 3)),
        "negative zero": jnp.array([-0.0, jnp.inf]),
        "weak": jnp.broadcast_to(jnp.asarray(2.5), (2,)),
        "complex": jnp.array([1 + 2j]),
        "host": np.array([2**60, -1]),
        "scalar": np.float64(0.1),
        "numbers": [3, 0.1, True],
    }


def assert_same(restored, tree):
    assert jax.tree.structure(restored) == jax.tree.structure(tree)
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    for (path, leaf), other in zip(leaves, jax.tree.leaves(restored), strict=True):
        name = jax.tree_util.keystr(path)
        assert type(other) is type(leaf), name
        if not isinstance(leaf, int | float):
            assert (other.dtype, other.shape) == (leaf.dtype, leaf.shape), name
            assert bits(other) == bits(leaf), name
            assert getattr(other, "weak_type", 0) == getattr(leaf, "weak_type", 0), name
            assert getattr(other, "committed", 0) == getattr(leaf, "committed", 0), name
        else:
            assert other == leaf, name


@pytest.mark.slow
def test_every_kind_of_leaf_comes_back_bit_for_bit(tmp_path):
    tree = everything()
    path = save(tmp_path / "run", tree, step=jnp.int32(12), metric=np.float32(0.5))
    assert path == tmp_path / "run" / "00000012"
    assert {p.name for p in path.iterdir()} == {"state", "meta.json", "manifest.json"}
    restored = restore(tmp_path / "run", tree)
    assert_same(restored.tree, tree)
    assert restored[1:] == (12, 0.5, ())


def test_shapes_are_enough_to_restore(tmp_path):
    tree = {"key": jax.random.key(1), "x": jnp.arange(3), "none": None}
    save(tmp_path, tree, step=0)
    assert_same(restore(tmp_path, jax.eval_shape(lambda: tree)).tree, tree)


def test_arrays_go_to_the_sharding_of_like(tmp_path):
    mesh = Mesh(np.array(jax.devices()), ("data",))
    divided = NamedSharding(mesh, PartitionSpec("data"))
    everywhere = NamedSharding(mesh, PartitionSpec())
    tree = {"x": jnp.arange(8.0), "key": jax.random.key(5)}
    save(tmp_path, tree, step=1)
    like = {"x": jax.device_put(tree["x"], divided), "key": jax.device_put(tree["key"], everywhere)}
    for target in (
        like,
        jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like),
    ):
        restored = restore(tmp_path, target).tree
        assert restored["x"].sharding == divided and len(restored["x"].addressable_shards) == 2
        assert restored["key"].sharding.is_equivalent_to(everywhere, 0)
        assert jax.tree.map(bits, restored) == jax.tree.map(bits, tree)
    save(tmp_path, like, step=2)
    assert jax.tree.map(bits, restore(tmp_path, tree).tree) == jax.tree.map(bits, tree)


def kinds(path):
    """The files of a checkpoint, the first of each kind."""
    files = sorted(p for p in path.rglob("*") if p.is_file())
    names = {p.name if len(p.name) < 32 else str(p.parent.relative_to(path)): p for p in files}
    return list(names.values())


def flip(file, position):
    content = bytearray(file.read_bytes())
    content[position // 8 % len(content)] ^= 1 << position % 8
    file.write_bytes(bytes(content))


def reseal(folder):
    """Gives changed files the right sums."""
    (folder / "manifest.json").unlink()
    seal(folder)


def two_checkpoints(folder):
    save(folder, WEIGHTS, step=1)
    return save(folder, jax.tree.map(lambda x: x + 1, WEIGHTS), step=2)


def assert_first_is_used(folder, match):
    with pytest.warns(UserWarning, match=f"00000002: .*{match}.*Step 1 is used"):
        restored = restore(folder, WEIGHTS)
    assert_same(restored.tree, WEIGHTS)
    assert restored.step == 1 and len(restored.skipped) == 1


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    files = kinds(two_checkpoints(tmp_path))
    assert len(files) >= 7
    generator = np.random.default_rng(0)
    for trial in range(max(30, len(files))):
        file = files[trial % len(files)]
        content, position = file.read_bytes(), int(generator.integers(8 * file.stat().st_size))
        flip(file, position)
        assert_first_is_used(tmp_path, "" if file.name == "manifest.json" else file.name)
        file.write_bytes(content)
    assert restore(tmp_path, WEIGHTS).step == 2


def test_a_truncated_missing_or_extra_file_is_found(tmp_path):
    newest = two_checkpoints(tmp_path)
    for file in kinds(newest):
        content = file.read_bytes()
        for length in (0, len(content) - 1):
            file.write_bytes(content[:length])
            assert_first_is_used(tmp_path, file.name)
        file.unlink()
        assert_first_is_used(tmp_path, file.name)
        file.write_bytes(content)
    (newest / "state" / "extra").touch()
    assert_first_is_used(tmp_path, "extra is not in the manifest")


def test_when_all_are_damaged_nothing_is_used_or_removed(tmp_path):
    two_checkpoints(tmp_path)
    for folder in tmp_path.iterdir():
        flip(next(p for p in folder.rglob("d/*") if p.is_file()), 100)
    before = {p: p.is_dir() or p.read_bytes() for p in tmp_path.rglob("*")}
    with pytest.raises(NoIntactCheckpoint, match="00000002: .* 00000001: "):
        restore(tmp_path, WEIGHTS)
    assert {p: p.is_dir() or p.read_bytes() for p in tmp_path.rglob("*")} == before


def test_no_checkpoint_is_told_from_a_damaged_one(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "00000003.tmp").mkdir()
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FileNotFoundError, match="no checkpoint in"):
            restore(folder, WEIGHTS)
    (tmp_path / "00000003").mkdir()
    with pytest.raises(NoIntactCheckpoint, match="00000003: manifest.json"):
        restore(tmp_path, WEIGHTS)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax's threads
def test_no_file_can_run_code(tmp_path, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    def refuse(*args, **kwargs):
        raise AssertionError("a pickle was opened")

    path = save(tmp_path / "run", WEIGHTS, step=1)
    contents = {file: file.read_bytes() for file in kinds(path)}
    bomb = pickle.dumps(Bomb())
    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(np, "load", refuse)
    assert_same(restore(tmp_path / "run", WEIGHTS).tree, WEIGHTS)
    for file in contents:
        file.write_bytes(bomb)
        if file.name != "manifest.json":
            reseal(path)
        try:  # orbax does not read all of its files
            assert_same(restore(tmp_path / "run", WEIGHTS).tree, WEIGHTS)
        except NoIntactCheckpoint as error:
            assert "a pickle was opened" not in str(error)
        for other, content in contents.items():
            other.write_bytes(content)
    assert not (tmp_path / "exploded").exists()


def steps(folder):
    return [int(name) for name in sorted(os.listdir(folder))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metrics", "keep", "mode", "kept", "best"),
    [
        ([0.9, 0.8, 0.1, 0.05], 2, "max", [1, 3, 4], 1),
        ([0.9, 0.8, 0.1, 0.05], 2, "min", [3, 4], 4),
        ([0.1, np.nan, 0.5, 0.2], 1, "min", [1, 4], 1),
        ([np.nan, 0.3, 0.3, 0.3], 1, "min", [2, 4], 2),
        ([np.nan, -np.inf, np.inf, np.nan], 1, "max", [4], None),
        ([None, None, None, None], 3, "min", [2, 3, 4], None),
        ([None, 0.5, None, None], 1, "max", [2, 4], 2),
    ],
)
def test_the_newest_and_the_best_are_kept(tmp_path, metrics, keep, mode, kept, best):
    for step, metric in enumerate(metrics, start=1):
        tree = {"x": np.array([step])}
        save(tmp_path, tree, step=step, metric=metric, mode=mode, keep=keep)
    assert steps(tmp_path) == kept
    assert restore(tmp_path, tree).tree["x"] == 4
    if best is None:
        with pytest.raises(ValueError, match="finite metric"):
            restore(tmp_path, tree, which="best")
    else:
        assert restore(tmp_path, tree, which="best").tree["x"] == best


def test_the_newest_is_the_last_saved_even_at_an_earlier_step(tmp_path):
    for step, value in [(1, 1), (3, 2), (2, 3), (3, 4), (1, 5)]:
        save(tmp_path, {"x": np.array([value])}, step=step, keep=2)
        assert restore(tmp_path, {"x": np.array([0])}).tree["x"] == value
    assert steps(tmp_path) == [1, 3]


class Crash(BaseException):
    """Stands for a killed process: nothing runs after it."""


@pytest.mark.slow
def test_a_crash_between_any_two_changes_of_names_loses_nothing(tmp_path, monkeypatch):
    template = tmp_path / "template"
    for step in (1, 2):
        save(template, {"x": np.array([step])}, step=step, metric=step)
    remove = shutil.rmtree
    operations = {(Path, "rename"): Path.rename, (shutil, "rmtree"): remove}
    outcomes = []
    for crash_at in range(20):
        folder, countdown = tmp_path / str(crash_at), iter(range(crash_at))
        shutil.copytree(template, folder)

        def counted(operation, countdown=countdown):
            def run(*args, **kwargs):
                if next(countdown, None) is None:
                    if operation is remove:
                        remove(args[0] / "state", ignore_errors=True)
                    raise Crash
                return operation(*args, **kwargs)

            return run

        with monkeypatch.context() as patch:
            for (owner, name), operation in operations.items():
                patch.setattr(owner, name, counted(operation))
            try:
                save(folder, {"x": np.array([3])}, step=2, metric=0.5, keep=1)
                outcomes.append("saved")
            except Crash:
                outcomes.append("crashed")
        value = restore(folder, {"x": np.array([0])}).tree["x"].item()
        assert value in (2, 3) and (outcomes[-1] == "crashed" or value == 3)
        save(folder, {"x": np.array([4])}, step=5, metric=0.7, keep=9)
        assert restore(folder, {"x": np.array([0])}).tree["x"] == 4
        assert {"00000002", "00000005"} <= set(os.listdir(folder)) <= {f"{i:08d}" for i in range(9)}
        for path in folder.iterdir():
            verify(path)
        if outcomes[-1] == "saved":
            break
    assert outcomes.count("crashed") >= 5 and outcomes[-1] == "saved"


def test_leftovers_of_a_killed_save_are_removed(tmp_path):
    (tmp_path / "00000001.tmp" / "state.orbax-checkpoint-tmp").mkdir(parents=True)
    (tmp_path / "metrics.tmp").touch()
    save(tmp_path, WEIGHTS, step=2)
    assert sorted(os.listdir(tmp_path)) == ["00000002", "metrics.tmp"]


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "run"):
        with pytest.raises(OSError, match=f"cannot save the tree of step 1 in {folder}"):
            save(folder, WEIGHTS, step=1)
    path = save(tmp_path / "run", WEIGHTS, step=1)
    (tmp_path / "run" / "00000002.tmp").touch()
    with pytest.raises(OSError, match="cannot save the tree of step 2 in .*run"):
        save(tmp_path / "run", WEIGHTS, step=2)
    assert restore(tmp_path / "run", WEIGHTS).step == 1 and path.exists()


SAVED = {"model": {"width": 64, "layers": (1, 2)}, "rate": 0.1, "none": float("nan"), "seed": 0}


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({**SAVED, "model": {"width": 128, "layers": [1, 2]}}, "model.width: saved 64, now 128."),
        ({**SAVED, "rate": 1}, "rate: saved 0.1, now 1."),
        ({**SAVED, "seed": False}, "seed: saved 0, now false."),
        ({**SAVED, "data": "digits"}, 'data: saved nothing, now "digits".'),
        ({**SAVED, "model": {}}, "model.layers: .* model.width: saved 64, now nothing; model: "),
    ],
)
def test_another_configuration_is_refused(tmp_path, now, message):
    save(tmp_path, WEIGHTS, step=1, configuration=SAVED)
    assert restore(tmp_path, WEIGHTS, configuration=SAVED).step == 1
    assert restore(tmp_path, WEIGHTS).step == 1
    with pytest.raises(ValueError, match=f"configuration differs .*: {message}"):
        restore(tmp_path, WEIGHTS, configuration=now)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({**WEIGHTS, "w": np.ones((4, 3), np.float32)}, r"like\['w'\]: .*32\[3,4\], got .*\[4,3\]"),
        ({**WEIGHTS, "b": np.ones(4)}, r"like\['b'\]: saved float32\[4\], got float64\[4\]"),
        ({"w": WEIGHTS["w"]}, r"like\['b'\]: saved float32\[4\], got nothing"),
        ({**WEIGHTS, "c": None}, r"like\['c'\]: saved nothing, got NoneType\[\]"),
        ([WEIGHTS["b"], WEIGHTS["w"]], r"like\['b'\]: .*like\[0\]: saved nothing"),
        ({**WEIGHTS, "b": jax.random.key(0)}, r"like\['b'\]: .* got key<fry>\[\]"),
    ],
)
def test_another_tree_is_refused(tmp_path, like, message):
    path = save(tmp_path, WEIGHTS, step=1)
    assert json.loads((path / "meta.json").read_text())["tree"][0]["shape"] == [4]
    with pytest.raises(ValueError, match=message):
        restore(tmp_path, like)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"step": -1}, ValueError, "step must be at least 0, got -1"),
        ({"keep": 0}, ValueError, "keep must be at least 1, got 0"),
        ({"metric": 1j}, TypeError, "metric must be a real scalar, got 1j"),
        ({"configuration": {"f": print}}, TypeError, "configuration must hold what JSON can"),
        ({"tree": {"x": "text"}}, TypeError, r"tree\['x'\] must be an array"),
        ({"tree": {"x": np.array(["text"])}}, TypeError, r"tree\['x'\] must be an array"),
        ({"tree": {"x": None}}, ValueError, "tree must hold an array"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, arguments, error, message):
    folder = tmp_path / "run"
    with pytest.raises(error, match=message):
        save(**{"folder": folder, "tree": WEIGHTS, "step": 1, **arguments})
    assert not folder.exists()
