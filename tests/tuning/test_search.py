"""`search`: every trial is its own run, whatever is done around it."""

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import textwrap

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import tuning
from jaxtricks.tuning import _search_folder

KEY = jax.random.key(5)
SPACE = {"rule": {"rate": tuning.log_uniform(1e-4, 1.0)}, "steps": tuning.integers(1, 9)}


def run(key, trial):
    """Gradient descent on a parabola with a random start; a curve and two numbers."""
    start = jax.random.normal(key)

    def step(w, _):
        w = w - trial["rule"]["rate"] * 2 * w
        return w, w**2

    _, losses = jax.lax.scan(step, start, length=4)
    return {"curve": losses, "loss": losses[-1] * trial["steps"], "start": start}


def find(trials=20, space=SPACE, run=run, **options):
    return tuning.search(KEY, run, space, trials, progress=False, **options)


def same(a, b):
    chex.assert_trees_all_equal(a.table, b.table)
    chex.assert_trees_all_equal(a.curves, b.curves)


def test_each_trial_is_the_run_of_its_key_and_its_hyper_parameters():
    found = find()
    draw_key, run_key = jax.random.split(KEY)
    drawn = tuning.sample(draw_key, SPACE, 20)
    chex.assert_trees_all_equal(found.hyper_parameters, drawn)
    np.testing.assert_array_equal(found.table["rule.rate"], drawn["rule"]["rate"])
    for i in range(20):
        trial = jax.tree.map(lambda x, i=i: jnp.asarray(x[i]), drawn)
        want = jax.jit(run)(jax.random.fold_in(run_key, i), trial)
        for name in ("loss", "start"):
            np.testing.assert_allclose(found.table[name][i], want[name], rtol=1e-6)
        np.testing.assert_allclose(found.curves["curve"][i], want["curve"], rtol=1e-6)
    np.testing.assert_array_equal(found.table["curve"], found.curves["curve"][:, -1])
    assert list(found.table) == ["trial", "rule.rate", "steps", "curve", "loss", "start"]
    assert {len(column) for column in found.table.values()} == {20}


@pytest.mark.parametrize("options", [{"chunk": 1}, {"chunk": 7}, {"chunk": 20}, {"devices": 1}])
def test_chunks_and_devices_change_nothing(options):
    if "devices" in options:
        options = {"devices": jax.devices()[:1]}
    same(find(**options), find())


def test_fewer_trials_are_the_first_ones_and_given_ones_are_those():
    few, many = find(8), find(20)
    chex.assert_trees_all_equal(few.table, {name: v[:8] for name, v in many.table.items()})
    same(find(tuning.sample(jax.random.split(KEY)[0], SPACE, 20)), many)
    grid = tuning.grid(SPACE, {"rule": 3, "steps": 2})
    assert find(grid).table["rule.rate"].tolist() == grid["rule"]["rate"].tolist()


def wide(key, trial, data):
    layer = jnp.ones((trial["width"], 2)) * trial["scale"]
    return {"loss": jnp.sum(trial["activation"](layer)) + jnp.sum(data)}


WIDE = {
    "width": tuning.choice((1, 2, 3), static=True),
    "activation": tuning.choice((jnp.tanh, jax.nn.relu)),
    "scale": tuning.uniform(0.5, 1.0),
}


def test_shapes_and_functions_are_static_and_each_combination_compiles_once():
    data = (jnp.ones(4),)
    counted = chex.assert_max_traces(wide, n=7)  # one to see what is used
    found = tuning.search(KEY, counted, WIDE, 40, shared=data, chunk=40, progress=False)
    table = found.table
    assert len(set(zip(table["width"], table["activation"], strict=True))) == 6
    scaled = [f(s) for f, s in zip(table["activation"], table["scale"], strict=True)]
    want = 2 * table["width"].astype(float) * np.array(scaled) + 4
    np.testing.assert_allclose(table["loss"], want, rtol=1e-5)


def test_a_second_search_of_one_function_compiles_nothing_again():
    counted = chex.assert_max_traces(lambda key, trial: trial["a"], n=2)
    space = {"a": tuning.uniform(0, 1)}
    for seed in range(3):
        tuning.search(jax.random.key(seed), counted, space, 6, progress=False)


def test_a_leaf_that_only_some_groups_take_is_taken():
    space = {
        "rule": tuning.choice(("a", "b")),
        "x": tuning.uniform(0, 1),
        "y": tuning.uniform(2, 3),
    }

    def one_of_them(key, trial):
        return trial["x"] if trial["rule"] == "a" else trial["y"]

    found = find(10, space, one_of_them)
    assert (found.table["loss"] > 1.5).tolist() == (found.table["rule"] == "b").tolist()

    def misspelt(key, trial):
        return trial["x"] if trial["rule"] == "a" else 2 * trial["x"]

    with pytest.raises(ValueError, match="nothing depends on 'y'"):
        find(10, space, misspelt)


def test_a_traced_number_as_a_shape_says_what_to_do():
    with pytest.raises(TypeError) as caught:
        find(3, tuning.choice((2, 3)), lambda key, width: jnp.ones(width).sum())
    assert any("choice(..., static=True)" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("name", ["trial", "epochs"])
def test_the_names_of_the_tables_own_columns_are_refused(name):
    with pytest.raises(ValueError, match=f"space must have other names .* got {name!r}"):
        find(3, {name: tuning.uniform(0, 1)}, lambda key, trial: trial[name])
    with pytest.raises(ValueError, match=f"run must give its results other .* got {name!r}"):
        find(3, tuning.uniform(0, 1), lambda key, rate: {"loss": rate, name: rate})


def test_a_missing_result_is_noticed_before_anything_is_computed(tmp_path):
    def counted(key, trial):
        jax.debug.callback(lambda: ran.append(1))
        return {"accuracy": trial["rule"]["rate"] * trial["steps"]}

    ran = []
    with pytest.raises(ValueError, match=r"by must be one of the results \['accuracy'\]"):
        find(3, run=counted, folder=tmp_path)
    assert not ran


def test_keys_of_every_generator_do_not_depend_on_the_chunk():
    key = jax.random.key(0, impl="unsafe_rbg")

    def draw(key, x):
        return jax.random.normal(key) + x

    space = tuning.uniform(0, 1)
    one, three = (
        tuning.search(key, draw, space, 7, chunk=chunk, mapping="map", progress=False)
        for chunk in (1, 3)
    )
    same(one, three)


@pytest.mark.parametrize("name", ["search.jsonl", "search-1.jsonl"])
def test_trials_of_another_search_are_noticed(tmp_path, name):
    find(folder=tmp_path / "own")
    tuning.search(jax.random.key(9), run, SPACE, 20, folder=tmp_path / "other", progress=False)
    lines = (tmp_path / "other" / "search.jsonl").read_bytes().splitlines(keepends=True)
    with (tmp_path / "own" / name).open("ab") as file:
        file.write(b"".join(lines[1:]))
    with pytest.raises(ValueError, match="holds another search"):
        find(folder=tmp_path / "own", resume=True)


def test_equal_values_of_different_types_are_different_programs():
    def kind(key, trial):
        return {"loss": jnp.float32(isinstance(trial, float))}

    for values, want in (((1, 2), 0.0), ((1.0, 2.0), 1.0)):
        found = find(4, tuning.choice(values, static=True), kind)
        assert set(found.table["loss"]) == {want}


def test_what_diverges_is_data_and_a_search_without_a_finite_loss_says_so(capsys):
    def sometimes(key, trial):
        return jnp.where(trial["a"] > 0.5, jnp.nan, trial["a"])

    space = {"a": tuning.uniform(0, 1)}
    found = tuning.search(KEY, sometimes, space, 30, chunk=10)
    assert (np.isnan(found.table["loss"]) == (found.table["a"] > 0.5)).all()
    lines = capsys.readouterr().err.splitlines()
    bad = np.isnan(found.table["loss"]).sum()
    assert len(lines) == 3 and lines[-1].endswith(f", {bad} not finite")
    least = float(np.nanmin(found.table["loss"]))
    assert f"30 of 30 trials, best loss {least:.6g} (trial " in lines[-1]
    with pytest.warns(UserWarning, match="none of the 30 trials has a finite loss"):
        find(30, space, lambda key, trial: trial["a"] * jnp.inf)


@pytest.mark.parametrize("cut", [1, 40, 200, -1, -30])
def test_a_torn_file_goes_on_to_the_same_table(tmp_path, cut):
    whole = find(12, chunk=3, folder=tmp_path)
    file = tmp_path / "search.jsonl"
    content = file.read_bytes()
    header = content.index(b"\n") + 1
    file.write_bytes(content[: header + cut] if cut > 0 else content[:cut])
    same(find(12, chunk=5, folder=tmp_path, resume=True), whole)
    same(find(12, folder=tmp_path, resume=True), whole)


def test_a_finished_search_is_read_and_not_run_again(tmp_path):
    whole = find(6, folder=tmp_path)
    (tmp_path / "search.jsonl").read_bytes()

    def never(key, trial):
        raise AssertionError("it was run again")

    same(find(6, run=never, folder=tmp_path, resume=True), whole)


def test_a_flipped_bit_costs_its_trial_and_is_run_again(tmp_path):
    whole = find(6, folder=tmp_path)
    file = tmp_path / "search.jsonl"
    lines = file.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b"loss", b"lost")
    file.write_bytes(b"\n".join(lines))
    same(find(6, folder=tmp_path, resume=True), whole)


PROGRAM = textwrap.dedent("""
    import os, signal, sys, jax
    from tests.tuning.test_search import find
    from jaxtricks import _json_lines
    append, calls = _json_lines.append, []
    def killed(path, records):
        calls.append(1)
        if len(calls) == 4:  # the header, and two chunks
            os.kill(os.getpid(), signal.SIGKILL)
        append(path, records)
    _json_lines.append = killed
    find(12, chunk=3, folder=sys.argv[1])
""")


@pytest.mark.slow
def test_a_kill_loses_one_chunk(tmp_path):
    process = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert len((tmp_path / "search.jsonl").read_bytes().splitlines()) == 1 + 6
    same(find(12, folder=tmp_path, resume=True), find(12))


def test_another_search_does_not_go_on_in_its_folder(tmp_path):
    find(6, folder=tmp_path)
    with pytest.raises(ValueError, match="resume=True continues"):
        find(6, folder=tmp_path)
    others = (
        lambda: find(6, {**SPACE, "steps": tuning.integers(1, 8)}, folder=tmp_path, resume=True),
        lambda: find(
            6,
            run=lambda key, trial, data: run(key, trial),
            shared=(jnp.ones(2),),
            folder=tmp_path,
            resume=True,
        ),
        lambda: find(6, {**SPACE, "more": tuning.uniform(0, 1)}, folder=tmp_path, resume=True),
        lambda: tuning.search(
            jax.random.key(6), run, SPACE, 6, folder=tmp_path, resume=True, progress=False
        ),
    )
    for other in others:
        with pytest.raises(ValueError, match="another search"):
            other()


@pytest.mark.parametrize("before, after", [(5, 12), (12, 5)])
def test_a_search_goes_on_with_more_trials_or_fewer(tmp_path, before, after):
    find(before, folder=tmp_path, chunk=4)
    lines = len((tmp_path / "search.jsonl").read_bytes().splitlines())
    same(find(after, folder=tmp_path, resume=True), find(after))
    new = len((tmp_path / "search.jsonl").read_bytes().splitlines()) - lines
    assert new == max(after - before, 0)


def test_each_line_has_the_hyper_parameters_of_its_trial(tmp_path):
    found = find(4, folder=tmp_path)
    lines = (tmp_path / "search.jsonl").read_bytes().splitlines()[1:]
    for line in map(json.loads, lines):
        trial = line["trial"]
        assert set(line["hyper_parameters"]) == {"rule.rate", "steps"}
        for name, value in line["hyper_parameters"].items():
            assert found.table[name][trial] == value
        assert found.table["loss"][trial] == np.float32(line["results"]["loss"])


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Data:
    values: jax.Array
    scale: float = dataclasses.field(metadata={"static": True})


def test_static_parts_of_shared_and_the_precision_belong_to_the_search(tmp_path):
    def scaled(key, x, data, more):
        return (x * data.scale * data.values).sum()

    def go_on(scale, more=None):
        shared = (Data(jnp.ones(2), scale), more)
        return find(3, tuning.uniform(0, 1), scaled, shared=shared, folder=tmp_path, resume=True)

    go_on(1.0)
    go_on(1.0)
    for other in (lambda: go_on(2.0), lambda: go_on(1.0, ())):
        with pytest.raises(ValueError, match="another search"):
            other()
    with jax.enable_x64(True), pytest.raises(ValueError, match="another search"):
        go_on(1.0)


def test_runs_with_results_of_different_names_are_refused():
    def one_of_two(key, trial):
        name = "some" if trial["f"] is jnp.tanh else "other"
        return {"loss": trial["f"](trial["a"]), name: jnp.ones(())}

    space = {"f": tuning.choice((jnp.tanh, jax.nn.relu)), "a": tuning.uniform(0, 1)}
    with pytest.raises(ValueError, match="run must return the same results"):
        find(6, space, one_of_two)


def test_static_values_given_as_trials_keep_their_types():
    def kind(key, trial):
        return jnp.float32(("bool", "int", "float").index(type(trial).__name__))

    given = np.empty(4, object)
    given[:] = [1, True, 1.0, 1]
    found = find(given, tuning.choice((1, 2), static=True), kind)
    assert found.table["loss"].tolist() == [1.0, 0.0, 2.0, 1.0]


def test_big_endian_numbers_are_the_same_trials():
    rates = np.array([0.1, 0.2], ">f4")
    found = find(rates, tuning.uniform(0, 1), lambda key, rate: rate)
    assert found.table["loss"].tolist() == rates.astype(np.float32).tolist()


def test_a_set_among_the_choices_is_the_same_in_every_process():
    rows = _search_folder.rows_of_columns({"names": np.array([frozenset("abc"), 1, {"b"}], object)})
    assert rows[0] == {"names": "frozenset of [\"'a'\", \"'b'\", \"'c'\"]"}
    assert rows[1:] == [{"names": "1"}, {"names": "set of [\"'b'\"]"}]
    one, other = (_search_folder.as_json(("x", frozenset(some))) for some in ("ab", "ba"))
    assert one == other


def test_text_that_looks_like_an_address_is_kept():
    assert _search_folder.as_json("bias at 0x1") != _search_folder.as_json("bias at 0x2")
    assert _search_folder.as_json(jnp.tanh) == _search_folder.as_json(jnp.tanh)


def leaky(slope):
    def activation(x):
        return jnp.where(x > 0, x, slope * x)

    return activation


def test_static_values_that_read_alike_are_refused_with_a_folder(tmp_path):
    space = {"f": tuning.choice((leaky(0.1), leaky(0.2))), "a": tuning.uniform(-1, 1)}

    def apply(key, t):
        return t["f"](t["a"]) ** 2

    find(4, space, apply)
    with pytest.raises(ValueError, match="two values of 'f' have the same text"):
        find(12, space, apply, folder=tmp_path)


@pytest.mark.parametrize("trials", [[-7.0, 5.0], [0.5, 2.0]])
def test_trials_outside_of_the_space_are_refused(trials):
    with pytest.raises(ValueError, match="trials must lie in the space"):
        find(np.array(trials), tuning.uniform(0, 1), lambda key, x: x)
    for wrong, leaf in (
        ([1.5], tuning.integers(1, 5)),
        ([3], tuning.choice((1, 2), static=True)),
        ([0.7], tuning.choice((0.8, 0.9))),
    ):
        with pytest.raises(ValueError, match="trials must lie in the space"):
            find(np.array(wrong), leaf, lambda key, x: x)


def test_equal_tuples_of_different_numbers_are_different_programs():
    given = np.empty(3, object)
    given[:] = [(1,), (1.0,), (True,)]
    kinds = (int, float, bool)
    found = find(
        given,
        tuning.choice(((1,), (2,))),
        lambda key, n: jnp.float32(kinds.index(type(n[0]))),
    )
    assert found.table["loss"].tolist() == [0.0, 1.0, 2.0]


def test_a_decorated_run_is_called_as_it_is():
    def base(key, x, data):
        return x * data

    @functools.wraps(base)
    def inner(key, x):
        return base(key, x, 2.0)

    found = find(3, tuning.uniform(0, 1), inner)
    np.testing.assert_array_equal(found.table["loss"], 2 * found.table["value"])


def test_a_run_that_changed_leaves_the_folder_as_it_was(tmp_path):
    def more(key, trial):
        return {**run(key, trial), "more": trial["steps"]}

    before = find(4, folder=tmp_path)
    content = (tmp_path / "search.jsonl").read_bytes()
    with pytest.raises(ValueError, match="same results in all trials, .* another folder"):
        find(8, run=more, folder=tmp_path, resume=True)
    assert (tmp_path / "search.jsonl").read_bytes() == content
    same(find(4, folder=tmp_path, resume=True), before)
    same(find(8, folder=tmp_path, resume=True), find(8))


def test_a_result_of_a_hyper_parameters_name_is_refused_before_anything_is_written(tmp_path):
    def same_name(key, x):
        return {"loss": x, "value": x}

    with pytest.raises(ValueError, match="than the hyper-parameters, got 'value'"):
        find(4, tuning.uniform(0, 1), same_name, folder=tmp_path)
    assert len((tmp_path / "search.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("content", ["", "{", '{"search": "ab'])
def test_a_torn_header_is_begun_again(tmp_path, content):
    (tmp_path / "search.jsonl").write_text(content)
    same(find(3, folder=tmp_path, resume=True), find(3))


@pytest.mark.parametrize("wrong", [lambda key: 0.0, lambda key, trial, data: 0.0])
def test_a_run_of_the_wrong_signature_is_told_what_it_is_called_with(wrong):
    with pytest.raises(TypeError, match=r"run must take a key, .* 2 arguments here: .*, got run\("):
        find(3, run=wrong)


def test_a_search_that_failed_leaves_its_folder_free_and_a_foreign_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="by must be one"):
        find(6, by="nothing", folder=tmp_path)
    find(6, folder=tmp_path)
    with pytest.raises(ValueError, match="by must be one of the results"):
        find(6, by="nothing", folder=tmp_path, resume=True)
    (tmp_path / "search.jsonl").write_text("a shopping list")
    with pytest.raises(ValueError, match="is not that of a search"):
        find(6, folder=tmp_path, resume=True)


def test_numbers_given_for_a_static_choice_are_static():
    space = {"w": tuning.choice((2, 4), static=True)}
    trials = {"w": np.array([2, 4, 2])}
    found = find(trials, space, lambda key, trial: jnp.ones(trial["w"]).sum())
    assert found.table["loss"].tolist() == [2.0, 4.0, 2.0]


def test_the_file_is_read_in_another_process_with_functions_among_the_values(tmp_path):
    space = {"f": tuning.choice((jnp.tanh, jax.nn.relu)), "a": tuning.uniform(0, 1)}
    found = find(6, space, lambda key, t: t["f"](t["a"]), folder=tmp_path)
    header = json.loads((tmp_path / "search.jsonl").read_bytes().split(b"\n")[0])
    assert len(header["search"]) == 64
    again = find(6, space, lambda key, t: t["f"](t["a"]), folder=tmp_path, resume=True)
    same(found, again)
    assert os.listdir(tmp_path).count("search.jsonl") == 1


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"trials": 0}, ValueError, "trials must be at least 1"),
        ({"trials": {"rule": {"rate": np.ones(2)}}}, ValueError, "trials must have the leaves"),
        ({"trials": {"rule": {"rate": np.ones(2)}, "steps": np.ones(3)}}, ValueError, "one length"),
        (
            {"trials": {"rule": {"rate": 0.1}, "steps": np.ones(3)}},
            TypeError,
            "got 0.1 as 'rule.rate'",
        ),
        ({"resume": True}, ValueError, "folder must be given"),
        ({"run": lambda key, t: jnp.ones(0)}, TypeError, "run must return a number"),
        ({"chunk": 0}, ValueError, "chunk must be at least 1"),
        ({"space": {"rate": 0.1}}, TypeError, "space must hold distributions"),
        ({"by": "accuracy"}, ValueError, "by must be one of the results"),
        (
            {"run": lambda key, t: {"steps": t["steps"], "loss": t["rule"]["rate"]}},
            ValueError,
            "'steps'",
        ),
        ({"run": lambda key, t: t["steps"]}, ValueError, "nothing depends on 'rule.rate'"),
        (
            {"run": lambda key, t: t["steps"] * 1j},
            TypeError,
            "run must return a number",
        ),
        (
            {"trials": {"rule": {"rate": np.array([1e39])}, "steps": np.ones(1)}},
            ValueError,
            "rule.rate must fit into float32",
        ),
        (
            {"run": lambda key, t: jnp.ones((2, 2))},
            TypeError,
            "run must return a number",
        ),
        ({"run": lambda key, t: None}, TypeError, "run must return a number"),
        ({"run": lambda key, t: t["missing"]}, KeyError, "missing"),
    ],
)
def test_bad_values_are_named(change, error, message):
    with pytest.raises(error, match=message):
        find(**{"trials": 3, **change})
