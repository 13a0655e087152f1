"""Draws have the distribution that they are named for; grids and narrowed spaces."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxtricks import tuning
from tests.untyped import untyped

KEY = jax.random.key(11)
DRAWS = {"sample": tuning.sample, "sobol": tuning.sobol}
SPACE = {
    "rule": {"rate": tuning.log_uniform(1e-5, 1e-1), "decay": tuning.uniform(0.0, 0.9)},
    "count": tuning.integers(1, 6),
    "width": tuning.choice((64, 128, 256), static=True),
    "name": tuning.choice(("sgd", "adam")),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=list(DRAWS))
def test_draws_pass_kolmogorov_smirnov(draw):
    space = {"log": tuning.log_uniform(1e-5, 1e-1), "even": tuning.uniform(-2.0, 3.0)}
    drawn = draw(KEY, space, 4000)
    assert scipy.stats.kstest((np.log10(drawn["log"]) + 5) / 4, "uniform").pvalue > 0.001
    assert scipy.stats.kstest((drawn["even"] + 2) / 5, "uniform").pvalue > 0.001
    assert abs(scipy.stats.spearmanr(drawn["log"], drawn["even"]).statistic) < 0.06


@pytest.mark.parametrize("draw", DRAWS.values(), ids=list(DRAWS))
def test_integers_and_choices_are_equally_frequent(draw):
    drawn = draw(KEY, {"die": tuning.integers(1, 6), "name": tuning.choice("abc".split())}, 6000)
    counts = np.bincount(drawn["die"], minlength=7)[1:]
    assert counts.sum() == 6000 and scipy.stats.chisquare(counts).pvalue > 0.001
    drawn = draw(KEY, tuning.choice(("a", "b", "c")), 6000)
    _, counts = np.unique(drawn.astype(str), return_counts=True)
    assert len(counts) == 3 and scipy.stats.chisquare(counts).pvalue > 0.001


def test_logarithmic_integers_have_the_share_of_their_interval():
    drawn = tuning.sample(KEY, tuning.integers(1, 1000, logarithmic=True), 20_000)
    for k in (1, 2, 10, 1000):
        share = np.log((k + 1) / k) / np.log(1001)
        assert np.mean(drawn == k) == pytest.approx(share, abs=4 * np.sqrt(share / 20_000))


def test_draws_are_within_the_ends_and_of_the_dtypes_that_jax_computes_with():
    drawn = tuning.sample(KEY, SPACE, 500)
    rate, count = drawn["rule"]["rate"], drawn["count"]
    assert rate.dtype == np.float32 and count.dtype == np.int32
    assert np.float32(1e-5) <= rate.min() and rate.max() <= np.float32(1e-1)
    assert set(count.tolist()) == set(range(1, 7))
    assert drawn["name"].dtype == object and set(drawn["width"]) == {64, 128, 256}
    wide = tuning.sample(KEY, tuning.integers(-(2**31) + 1, 2**31 - 1), 2000)
    assert np.mean(wide > 0) == pytest.approx(0.5, abs=0.05) and len(np.unique(wide)) > 1990


def test_trial_i_depends_on_the_key_and_i_alone():
    few, many = tuning.sample(KEY, SPACE, 5), tuning.sample(KEY, SPACE, 50)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:5]), few, many)
    without = {name: leaf for name, leaf in SPACE.items() if name != "count"}
    again = tuning.sample(KEY, without, 5)
    np.testing.assert_array_equal(again["rule"]["rate"], few["rule"]["rate"])
    other = tuning.sample(jax.random.key(12), SPACE, 5)
    assert not np.isin(other["rule"]["rate"], few["rule"]["rate"]).any()


def test_sobol_has_one_point_in_each_cell_and_goes_on():
    space = {"x": tuning.uniform(0, 1), "y": tuning.uniform(0, 1)}
    drawn = tuning.sobol(KEY, space, 64)
    cells = (drawn["x"] * 8).astype(int) * 8 + (drawn["y"] * 8).astype(int)
    assert sorted(cells.tolist()) == list(range(64))
    again = tuning.sobol(KEY, space, 100)
    np.testing.assert_array_equal(again["x"][:64], drawn["x"])
    assert (tuning.sobol(jax.random.key(12), space, 64)["x"] != drawn["x"]).any()


def test_a_grid_is_the_product_of_its_axes():
    points = {"rule": {"rate": 5, "decay": 4}, "count": 3, "width": 1, "name": 1}
    found = tuning.grid(SPACE, points)
    rows = list(zip(*(leaf.tolist() for leaf in jax.tree.leaves(found)), strict=True))
    assert len(rows) == len(set(rows)) == 5 * 4 * 3 * 3 * 2
    np.testing.assert_allclose(
        np.unique(found["rule"]["rate"]), [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], rtol=1e-5
    )
    np.testing.assert_allclose(np.unique(found["rule"]["decay"]), [0, 0.3, 0.6, 0.9], rtol=1e-6)
    axes = [sorted(set(column), key=column.index) for column in zip(*rows, strict=True)]
    assert rows == list(itertools.product(*axes))


def test_of_one_point_a_grid_has_the_middle_and_integers_coincide_once():
    space = {"a": tuning.log_uniform(1e-4, 1e-2), "b": tuning.integers(1, 3)}
    found = tuning.grid(space, {"a": 1, "b": 9})
    assert found["a"] == pytest.approx(1e-3) and found["b"].tolist() == [1, 2, 3]


class Rule(NamedTuple):
    rate: object
    decay: object


def test_names_are_those_of_fields_and_places():
    space = Rule(tuning.uniform(0, 1), (tuning.uniform(0, 1), tuning.uniform(2, 3)))
    table = {"rate": [0.1, 0.2], "decay.0": [0.5, 0.6], "decay.1": [2.1, 2.2], "loss": [1, 2]}
    fine = tuning.narrow(space, table, 2, margin=0.5)
    assert isinstance(fine, Rule) and fine.decay[1].low == pytest.approx(2.05)
    assert tuning.narrow(space.rate, {"value": [0.1, 0.2], "loss": [1, 2]}, 2).high < 0.3


@pytest.mark.parametrize("keep", [2, 5, 20])
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_narrow_keeps_the_best_inside_and_never_leaves_the_space(keep, largest, seed):
    """Flattened trials of random losses, some of them not finite."""
    key = jax.random.key(seed)
    drawn = tuning.sample(key, SPACE, 40)
    loss = np.array(jax.random.normal(key, (40,)))
    loss[::7] = np.nan
    table = {
        "rule.rate": drawn["rule"]["rate"],
        "rule.decay": drawn["rule"]["decay"],
        **{name: drawn[name] for name in ("count", "width", "name")},
        "score": loss,
    }
    try:
        fine = tuning.narrow(SPACE, table, keep, by="score", largest=largest)
    except ValueError as error:
        assert keep == 2 and "'count'" in str(error)  # both have the same one
        return
    ranked = np.argsort(np.where(np.isnan(loss), np.inf, -loss if largest else loss))[:keep]
    for name, leaf in (("rule.rate", fine["rule"]["rate"]), ("count", fine["count"])):
        values = table[name][ranked]
        assert (leaf.low <= values).all() and (values <= leaf.high).all()
    assert 1e-5 <= fine["rule"]["rate"].low < fine["rule"]["rate"].high <= 1e-1
    assert set(fine["name"].values) == set(drawn["name"][ranked])
    assert jax.tree.structure(fine) == jax.tree.structure(SPACE)


def test_the_margin_is_a_share_of_the_interval_in_its_own_scale():
    space = {"a": tuning.log_uniform(1e-6, 1.0), "b": tuning.uniform(0, 10)}
    table = {"a": [1e-4, 1e-2], "b": [4.0, 6.0], "loss": [1.0, 2.0]}
    fine = tuning.narrow(space, table, 2, margin=0.5)
    assert (fine["a"].low, fine["a"].high) == pytest.approx((1e-5, 1e-1))
    assert (fine["b"].low, fine["b"].high) == pytest.approx((3.0, 7.0))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: tuning.uniform(1.0, 1.0), ValueError, "low must be below high"),
        (lambda: tuning.uniform(2.0, 1.0), ValueError, "low must be below high"),
        (lambda: tuning.log_uniform(0.0, 1.0), ValueError, "low must be in"),
        (lambda: tuning.log_uniform(-1.0, 1.0), ValueError, "low must be in"),
        (lambda: tuning.log_uniform(1e-3, float("inf")), ValueError, "high must be in"),
        (lambda: tuning.integers(0, 5, logarithmic=True), ValueError, "low must be at least 1"),
        (lambda: tuning.integers(0.5, 5), TypeError, "low must be an integer"),
        (lambda: tuning.integers(5, 5), ValueError, "low must be below high"),
        (lambda: tuning.choice(()), ValueError, "values must hold at least one"),
        (lambda: tuning.choice((1, 1.0)), ValueError, "values must all be different"),
        (lambda: tuning.choice((np.ones(2), np.ones(2))), TypeError, "values must not be arrays"),
        (lambda: tuning.choice("ab"), TypeError, "values must be a tuple or a list"),
            (lambda: tuning.choice(np.arange(2)), TypeError, "values must be a tuple or a list"),
            (lambda: tuning.choice((1, 2**40)), ValueError, "values must fit into int32"),
            (lambda: tuning.choice((1, 2**64)), ValueError, "values must fit into int32"),
            (lambda: tuning.choice((1.0, float("nan"))), ValueError, "values must not be NaN"),
        (lambda: tuning.choice(("a", 1), static=False), ValueError, "static must be True"),
        (lambda: tuning.sample(KEY, SPACE, 0), ValueError, "trials must be at least 1"),
        (lambda: tuning.sample(KEY, {}, 3), ValueError, "space must hold distributions"),
        (lambda: tuning.sample(KEY, {"a": 0.1}, 3), TypeError, "got 0.1 as 'a'"),
        (lambda: tuning.sample(KEY, {"a": None}, 3), TypeError, "got None as 'a'"),
        (lambda: tuning.sobol(KEY, SPACE, 0), ValueError, "trials must be at least 1"),
        (lambda: tuning.grid(SPACE, 0), ValueError, "points must be at least 1"),
        (lambda: tuning.grid(SPACE, {"rule": 3}), ValueError, "points must be a prefix"),
        (lambda: tuning.grid(9 * [tuning.uniform(0, 1)], 9), ValueError, "points must give at"),
    ],
)  # fmt: skip
def test_bad_values_are_named(make, error, message):
    with untyped(), pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "table, keep, message",
    [
        ({"loss": [1.0, 2.0]}, 1, "table must have the column 'a'"),
        ({"a": [0.1, 0.2]}, 1, "table must have the column 'loss'"),
        ({"a": [0.1, 0.2], "loss": [1.0, np.nan]}, 2, "keep must be at most the 1 trials"),
        ({"a": [0.1, 0.2], "loss": [1.0, 2.0]}, 1, "keep must be larger"),
        ({"a": [3.0, 4.0], "loss": [1.0, 2.0]}, 2, "of a search of this space"),
    ],
)
def test_bad_tables_are_named(table, keep, message):
    with pytest.raises(ValueError, match=message):
        tuning.narrow({"a": tuning.uniform(0, 1)}, table, keep)


@pytest.mark.parametrize("value", [0.0, -1e-7, 1e-9])
def test_a_value_below_a_logarithmic_interval_is_not_of_it(value):
    table = {"a": [value, 0.1], "loss": [1.0, 2.0]}
    with pytest.raises(ValueError, match="of a search of this space"):
        tuning.narrow({"a": tuning.log_uniform(1e-7, 1.0)}, table, 2)


def test_a_wide_margin_gives_the_old_interval():
    table = {"a": [0.1, 0.2], "loss": [1.0, 2.0]}
    wide = tuning.narrow({"a": tuning.log_uniform(1e-7, 1.0)}, table, 2, margin=1e6)["a"]
    assert (wide.low, wide.high) == pytest.approx((1e-7, 1.0)) and wide.low >= 1e-7


def test_draws_go_straight_into_a_population():
    drawn = tuning.sample(KEY, {"a": tuning.uniform(0, 1), "b": tuning.integers(0, 3)}, 4)
    from jaxtricks import training

    out = training.train_population(
        lambda key, trial: trial["a"] + trial["b"], jax.random.split(KEY, 4), drawn
    )
    np.testing.assert_allclose(out, drawn["a"] + drawn["b"], rtol=1e-6)
    assert jnp.asarray(drawn["a"]).dtype == jnp.float32


def test_names_whose_draws_would_be_equal_are_refused():
    rate = tuning.uniform(0.0, 1.0)
    with pytest.raises(ValueError, match="'buckeroo' and 'plumless'"):
        tuning.sample(jax.random.key(0), {"plumless": rate, "buckeroo": rate}, 2)


@pytest.mark.parametrize("kind", ["rbg", "unsafe_rbg"])
def test_draws_of_every_generator_begin_with_those_of_fewer(kind):
    key, space = jax.random.key(0, impl=kind), tuning.uniform(0.0, 1.0)
    np.testing.assert_array_equal(tuning.sample(key, space, 5), tuning.sample(key, space, 9)[:5])


class Arrays:
    """Two of them give an array of bools."""

    def __eq__(self, other):
        return np.ones(2) == 1

    __hash__ = None


def test_values_that_cannot_be_compared_are_named():
    with pytest.raises(TypeError, match="values must be such that =="):
        tuning.choice((Arrays(), Arrays()))


def test_narrowing_takes_numbers_of_single_precision_and_lists_of_tuples():
    space = {"m": tuning.choice((0.8, 0.9)), "w": tuning.choice(((64, 64), (32, 32)))}
    table = {
        "m": np.float32([0.8, 0.9, 0.8]),
        "w": [(64, 64), (32, 32), (64, 64)],
        "loss": [1.0, 2.0, 3.0],
    }
    fine = tuning.narrow(space, table, 1)
    assert (fine["m"].values, fine["w"].values) == ((0.8,), ((64, 64),))
