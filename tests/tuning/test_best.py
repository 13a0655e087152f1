"""What becomes of a search: the best trial, trained again, and compared with another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxtricks import tuning
from tests.untyped import untyped

KEY = jax.random.key(7)
SPACE = {
    "width": tuning.choice((1, 2, 3), static=True),
    "rate": tuning.uniform(0.0, 1.0),
    "name": tuning.choice(("a", "b")),
}


def run(key, trial):
    """Best at width 2, rate 0.5, by a curve; the name does not matter."""
    assert isinstance(trial["width"], int) and isinstance(trial["name"], str)
    off = (trial["rate"] - 0.5) ** 2 + abs(trial["width"] - 2)
    noise = 0.01 * jax.random.normal(key)
    return {"loss": off * jnp.ones(3), "accuracy": 1 - off + noise}


def find(run=run, space=SPACE, trials=60):
    return tuning.search(KEY, run, space, trials, progress=False)


def test_the_best_has_the_least_or_the_largest_result_and_its_own_values():
    found = find()
    least, most = tuning.best(found), tuning.best(found, by="accuracy", largest=True)
    assert least.trial == int(np.argmin(found.table["loss"]))
    assert most.trial == int(np.argmax(found.table["accuracy"]))
    for chosen in (least, most):
        for name in SPACE:
            assert chosen.hyper_parameters[name] == found.table[name][chosen.trial]
    assert least.hyper_parameters["width"] == 2 and least.at_edge == {}
    assert least.score == found.table["loss"].min()


def test_what_is_not_finite_cannot_win():
    def wrong(key, rate):
        return jnp.where(rate > 0.5, -jnp.inf, jnp.where(rate > 0.3, jnp.nan, rate))

    found = find(wrong, tuning.uniform(0, 1))
    chosen = tuning.best(found)
    assert chosen.score == found.table["value"].min() and chosen.at_edge == {"value": "low"}
    nothing = found._replace(table={**found.table, "loss": np.full(60, np.nan)})
    with pytest.raises(ValueError, match="by must be finite"):
        tuning.best(nothing)


@pytest.mark.parametrize("place, edge", [(0.0, "low"), (0.25, None), (0.5, None), (1.0, "high")])
def test_the_edge_of_a_grid_is_its_ends(place, edge):
    space = {"rate": tuning.uniform(0.0, 1.0), "idle": tuning.choice((1.0, 2.0))}
    grid = tuning.grid(space, 5)
    found = find(lambda key, trial: (trial["rate"] - place) ** 2 + 0 * trial["idle"], space, grid)
    assert tuning.best(found).at_edge == ({"rate": edge} if edge else {})
    assert tuning.best(found, edge=0).at_edge == {}


def test_training_again_has_the_mean_and_students_interval_of_its_keys():
    keys = jax.random.split(jax.random.key(8), 12)
    chosen = tuning.best(find()).hyper_parameters
    again = tuning.retrain(keys, run, chosen, by="accuracy", level=0.9)
    values = again.results["accuracy"].astype(float)
    want = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (again.low, again.high) == pytest.approx((want.low, want.high), rel=1e-9)
    assert again.mean == pytest.approx(values.mean())
    one = run(keys[3], jax.tree.map(lambda x: x, chosen))
    np.testing.assert_allclose(values[3], one["accuracy"], rtol=1e-6)
    curves = tuning.retrain(keys, run, chosen)
    assert curves.results["loss"].shape == (12, 3) and curves.low == curves.high == curves.mean


def test_data_are_handed_on():
    keys = jax.random.split(KEY, 3)
    found = tuning.retrain(
        keys, lambda key, rate, data: rate + data.sum(), np.float32(1.0), shared=(jnp.ones(4),)
    )
    assert found.mean == 5.0


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_a_comparison_is_students_paired_test(level):
    first = np.asarray(jax.random.normal(KEY, (9,)), float)
    second = first - 0.3 + 0.1 * np.asarray(jax.random.normal(jax.random.key(9), (9,)))
    found = tuning.compare(first, second, level=level)
    want = scipy.stats.ttest_rel(first, second)
    ends = want.confidence_interval(level)
    assert found.p == pytest.approx(want.pvalue)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert found.difference == pytest.approx((first - second).mean()) and found.pairs == 9


def test_a_run_for_rungs_is_trained_again_from_its_start():
    def on(key, rate, position, epochs):
        assert position is None
        return {"loss": rate * jnp.ones(epochs)}, rate

    keys = jax.random.split(KEY, 3)
    again = tuning.retrain(keys, on, np.float32(2.0), epochs=5)
    assert again.mean == 2.0 and again.results["loss"].shape == (3, 5)


def test_a_static_number_of_numpy_is_static_again():
    space = tuning.choice(list(np.arange(2, 5)), static=True)
    found = find(lambda key, width: jnp.ones(width).sum(), space, 6)
    chosen = tuning.best(found).hyper_parameters
    again = tuning.retrain(jax.random.split(KEY), lambda key, w: jnp.ones(w).sum(), chosen)
    assert again.mean == chosen


def test_names_do_not_rank():
    with pytest.raises(TypeError, match="by must be a column of numbers, got 'name'"):
        tuning.best(find(), by="name")


def test_of_equals_there_is_no_difference():
    assert tuning.compare([1.0, 2.0], [1.0, 2.0]) == (0.0, 0.0, 0.0, 1.0, 2)


def test_a_static_number_can_be_at_an_edge_and_a_function_not():
    widths, rules = tuning.choice((2, 4, 8), static=True), tuning.choice((jnp.tanh, jnp.sin, abs))
    space = {"width": widths, "rule": rules}
    found = find(lambda key, t: jnp.float32(t["width"]), space, 30)
    assert tuning.best(found).at_edge == {"width": "low"}
    assert tuning.best(found, largest=True).at_edge == {"width": "high"}


def test_of_two_rare_sides_neither_is_an_edge_and_integers_may_be_huge():
    trials = np.array([1, *[2] * 48, 3])
    found = find(lambda key, n: (n - 2.0) ** 2, tuning.choice((1, 2, 3)), trials)
    assert tuning.best(found).at_edge == {}
    huge = tuning.choice((1, 2, 10**400), static=True)
    found = find(lambda key, n: jnp.float32(-len(str(n))), huge, 12)
    assert tuning.best(found).at_edge == {"value": "high"}


def test_static_numbers_of_numpy_become_pythons():
    trials = np.empty(4, object)
    trials[:] = [np.int64(n) for n in (1, 2, 3, 4)]
    space = tuning.choice((1, 2, 3, 4), static=True)
    found = find(lambda key, n: -jnp.ones(n).sum(), space, trials)
    chosen = tuning.best(found)
    assert chosen.at_edge == {"value": "high"} and type(chosen.hyper_parameters) is int
    again = tuning.retrain(
        jax.random.split(KEY), lambda key, n: -jnp.ones(n).sum(), chosen.hyper_parameters
    )
    assert again.mean == -4.0


def test_what_is_no_tree_of_hyper_parameters_or_no_table_is_named():
    found = find()
    with pytest.raises(TypeError, match="got a Best"):
        tuning.retrain(jax.random.split(KEY), run, tuning.best(found))
    with untyped(), pytest.raises(TypeError, match=r"a dict such as found\.table"):
        tuning.narrow(SPACE, found, 3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: tuning.best(find(), by="no"), "by must be one of"),
        (lambda: tuning.best(find(), edge=0.6), "edge must be in"),
        (
            lambda: tuning.retrain(jax.random.split(KEY), run, 1.0, epochs=0),
            "epochs must be at least 1",
        ),
        (lambda: tuning.retrain(jax.random.split(KEY, 1), run, 1.0), "keys must be at least two"),
        (
            lambda: tuning.retrain(jax.random.split(KEY), lambda key, x: {"a": x}, np.float32(1.0)),
            "by must be one of the results",
        ),
        (lambda: tuning.compare([1.0], [1.0]), "first must have one axis"),
        (lambda: tuning.compare([1.0, 2.0], [1.0, 2.0, 3.0]), "for the same keys"),
        (lambda: tuning.compare([1.0, np.nan], [1.0, 2.0]), "first must be finite"),
        (lambda: tuning.compare([1.0, 2.0], [1.0, 2.0], level=1.0), "level must be in"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
