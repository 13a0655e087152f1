"""The benchmarks compare the same things and leave complete records; nothing is timed here."""

import json
import math
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.performance import (
    _duels,
    conv_steps,
    epochs,
    imports,
    random_search,
    regularizers,
    report,
    streams,
    trajectories,
    update_rules,
)
from experiments.performance._resnet50 import (
    leaves_from,
    random_tree,
    resnet50_shapes,
    tree_bytes,
)
from experiments.performance._rules import RULES
from experiments.performance.timing import Clocks, interleaved
from jaxtricks import models

TINY = {"kernel": (3, 4), "bias": (4,)}


def test_tree_has_the_shape_of_resnet50():
    """The counts are those of the published model, as torchvision lists them."""
    shapes = resnet50_shapes()
    assert len(shapes) == 161
    assert sum(math.prod(shape) for shape in shapes.values()) == 25_557_032
    assert tree_bytes(shapes) == 4 * 25_557_032
    assert max(shapes.values(), key=math.prod) == (3, 3, 512, 512)
    large = leaves_from(shapes, 2**20)
    assert min(4 * math.prod(shape) for shape in large.values()) == 2**20
    assert tree_bytes(large) > 0.9 * tree_bytes(shapes)


def after_updates(tx):
    params, gradients = random_tree(TINY, 0), random_tree(TINY, 1)
    step, carry = jax.jit(update_rules.apply_rule(tx)), (params, tx.init(params))
    for _ in range(5):
        carry = step(carry, gradients)
    return carry[0]


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_contenders_do_the_same_work(rule):
    got, want = after_updates(rule.ours()), after_updates(rule.optax())
    chex.assert_trees_all_close(got, want, rtol=1e-5)
    assert not np.allclose(got["kernel"], random_tree(TINY, 0)["kernel"], rtol=1e-4)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_number_of_moments_is_what_the_rule_keeps(rule):
    params = random_tree(TINY, 0)
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    kept = sum(leaf.size for leaf in jax.tree.leaves(rule.ours().init(params)) if leaf.ndim)
    assert kept == rule.moments * size
    outputs = rule.floor(*[jnp.ones(2)] * (2 + rule.moments))
    assert len(outputs) == 1 + rule.moments


def array_instructions(update, carry, gradients):
    """Instructions of the compiled program that write an array: loops and copies."""
    program = str(jax.jit(update, donate_argnums=0).lower(carry, gradients).compile().as_text())
    main = program[program.index("\nENTRY") :].splitlines()
    written = [line.split(" = ")[1] for line in main if " = f32[64,64]" in line]
    return sorted(text.split("(")[0].split()[-1] for text in written if " parameter(" not in text)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_compiled_update_has_the_floors_loops_and_copies_nothing(rule):
    """Read from the program, so not subject to the machine: one more loop is one slower rule."""
    params, gradients = random_tree({"w": (64, 64)}, 0), random_tree({"w": (64, 64)}, 1)
    zeros = tuple(jax.tree.map(jnp.zeros_like, params) for _ in range(rule.moments))
    tx, theirs = rule.ours(), rule.optax()
    ours = array_instructions(update_rules.apply_rule(tx), (params, tx.init(params)), gradients)
    floor = array_instructions(update_rules.apply_floor(rule), (params, zeros), gradients)
    optax = array_instructions(
        update_rules.apply_rule(theirs), (params, theirs.init(params)), gradients
    )
    assert "copy" not in ours
    assert 1 + rule.moments <= len(ours) <= len(optax)
    assert len(ours) == len(floor)


@pytest.mark.slow
def test_contenders_take_turns_and_each_is_first_once():
    calls = []
    contenders = {name: lambda name=name: calls.append(name) for name in "abc"}
    clocks = interleaved(contenders, rounds=3)
    assert "".join(calls[-9:]) == "abcbcacab"
    assert all(times.shape == (3,) for clock in clocks for times in clock.values())


def tiny_regularizers(monkeypatch):
    monkeypatch.setattr(_duels, "SIZES", ((64, 8),))
    monkeypatch.setattr(_duels, "RATES", (0.25,))
    monkeypatch.setattr(_duels, "POOLINGS", ((2, 5, 3),))
    monkeypatch.setattr(_duels, "UNITS", 8)
    monkeypatch.setattr(_duels, "BATCHES", {4: 2.6})
    monkeypatch.setattr(regularizers, "ENTRIES", 2**10)
    monkeypatch.setattr(regularizers, "resnet50_shapes", lambda: TINY)


@pytest.mark.slow
def test_regularisers_and_their_rivals_do_the_same_work(monkeypatch):
    tiny_regularizers(monkeypatch)
    key = jax.random.key(0)
    (dropout,) = _duels.dropout_duels()
    for function in (dropout.ours, dropout.theirs):
        y = np.asarray(jax.jit(function)(key, jnp.ones((64, 8))))
        assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
        assert abs(np.mean(y == 0) - 0.25) < 5 * (0.25 * 0.75 / y.size) ** 0.5
    pairs, *others = _duels.pooling_duels()
    want = pairs.theirs(key, pairs.their_input)
    chex.assert_trees_all_equal(jax.jit(pairs.ours)(key, pairs.our_input), want)
    for duel in others:
        ours, theirs = (
            jax.eval_shape(function, key, x)
            for function, x in ((duel.ours, duel.our_input), (duel.theirs, duel.their_input))
        )
        assert ours.shape == theirs.shape == (2, 5, 5, 3)


@pytest.mark.parametrize("slower, met", [(1.0, True), (1.09, True), (1.3, False)])
def test_a_bound_is_met_if_the_quartiles_reach_it(slower, met):
    noise = np.linspace(0.97, 1.03, 31)
    times = {"ours": slower * noise, "theirs": np.ones(31)}
    found = regularizers.row(Clocks(times, times), ("ours", "theirs"), 2, 1.08, {"part": "x"})
    assert found["met"] is met and found["part"] == "x"
    assert found["cpu_milliseconds"][1] == [500, 500, 500]


def test_copy_contender_copies_and_leaves_the_source():
    source = random_tree(TINY, 0)
    before = jax.tree.map(np.array, source)
    for _ in range(2):
        update_rules.copying(source, calls=2)()
    chex.assert_trees_all_equal(source, before)


@pytest.mark.slow
def test_records_are_complete_and_become_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(update_rules, "resnet50_shapes", lambda: TINY)
    monkeypatch.setattr(imports, "CODE", "print([0.5, 0.5, 0.1, 0.1])")
    folder = tmp_path / "performance"
    small = ["--rounds", "2", "--calls", "2", "--only", "momentum", "adam"]
    update_rules.main([*small, "--out", f"{folder}/update_rules.json"])
    small = ["--rounds", "1", "--steps", "5", "--rates", "3"]
    paths = trajectories.main([*small, "--out", f"{folder}/trajectories.json"])
    imports.main(["--rounds", "2", "--out", f"{folder}/imports.json"])
    tiny_regularizers(monkeypatch)
    costs = regularizers.main(["--rounds", "2", "--out", f"{folder}/regularizers.json"])
    assert {row["part"] for row in costs["rows"]} == set(regularizers.PARTS)
    assert all(0 < row["cpu_ratio"][1] for row in costs["rows"])
    monkeypatch.setattr(epochs, "SIDE", 64)
    monkeypatch.setattr(models, "tensorflow_mlp", lambda: models.MLP((8, 10), dropout_rates=0.5))
    monkeypatch.setattr(random_search, "NET", models.MLP((8, 10)))
    monkeypatch.setattr(conv_steps, "ALGORITHMS", ("patches",))
    monkeypatch.setattr(conv_steps, "our_scan", idle)  # spares a long compilation
    monkeypatch.setattr(random_search, "host_loop", idle)  # and four more
    monkeypatch.setattr(epochs, "host_loop", idle)
    monkeypatch.setattr(epochs, "numpy_loop", idle)
    runs = train_a_little(folder)
    record = json.loads((folder / "update_rules.json").read_text())
    assert set(record["rules"]) == {"momentum", "adam"}
    assert record["leaves"] == 2 and record["floats"] == 16
    assert {"device", "versions", "load", "rounds", "calls"} <= set(record)
    for name, result in record["rules"].items():
        assert result["bytes"] == 4 * 16 * RULES[name].arrays_moved
        assert {"ours", "optax", "floor", "copy"} <= set(result["milliseconds"])
        assert {"optax", "floor"} <= set(result["over_ours"])
        assert all(0 < low <= mid <= high for low, mid, high in result["over_ours"].values())
    assert paths["largest_difference"] < 1e-6
    report.main([str(folder)])
    page = (tmp_path / "performance.md").read_text()
    assert all(f"| {name} |" in page for name in record["rules"])
    assert "adds 0.100 s" in page
    assert page.count("\n| dropout: ") == 2 and "| decay: Adam with L2, update |" in page
    assert runs["epochs"]["seeds"] == 3
    assert all(f"## {title}" in page for title in ("An epoch", "Random search", "Reading"))
    assert "inside a loop" in page and "| patches, scan |" in page


def idle(*arguments):
    """A contender that does nothing."""
    return lambda: None


def test_operations_are_those_of_the_measured_network():
    assert models.tensorflow_mlp().features == epochs.WIDTHS[1:]


def train_a_little(folder):
    """The benchmarks of training on few examples, in this process."""
    records = {
        "epochs": epochs.main(
            ["--rounds", "1", "--examples", "130", "--seeds", "3", "--out", f"{folder}/epochs.json"]
        ),
        "random_search": random_search.main(
            [
                *("--rounds", "1", "--trials", "2", "--many", "3", "--overhead-rounds", "1"),
                *("--out", f"{folder}/random_search.json"),
            ]
        ),
    }
    small = ["--scans", "--rounds", "1", "--batch", "4", "--width", "2", "--depth", "8"]
    conv_steps.main([*small, "--out", f"{folder}/conv_steps.json"])
    shutil.copy(folder / "conv_steps.json", folder / "conv_scans.json")
    found = {way: streams.measure("digits", way, 1) for way in ("device", "host", "stream")}
    assert {run["images"] for run in found.values()} == {1438}
    assert all(0 < run["images_per_second"][1] for run in found.values())
    record = {"data_set": "digits", "batch": 128, "ways": found, "device": "none"}
    (folder / "streams.json").write_text(json.dumps({**record, "versions": {}, "load": 0}))
    assert records["random_search"]["best_accuracy"] > 0
    assert records["random_search"]["search_over_population"][0] > 0
    assert set(records["random_search"]["peak_mebibytes"]) == {"2", "3"}
    return records
