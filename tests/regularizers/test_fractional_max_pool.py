"""Fractional pooling: what Graham's regions are, and maxima over them by a loop in numpy."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxtricks.regularizers import FractionalMaxPool, fractional_max_pool
from jaxtricks.regularizers._fractional_max_pool import draw_borders
from tests.untyped import untyped

KEY = jax.random.key(0)
SIZES = [(36, 2**0.5), (25, 1.3), (10, 2.0), (9, 2.0), (7, 1.01), (2, 1.5), (1, 1.5)]


def borders(key, size, ratio, *, overlapping, pseudo_random, batch=200):
    how = {"overlapping": overlapping, "pseudo_random": pseudo_random}
    return np.asarray(draw_borders(key, batch, size, ratio, **how))


@pytest.mark.parametrize("size, ratio", SIZES)
@pytest.mark.parametrize("overlapping", [True, False])
@pytest.mark.parametrize("pseudo_random", [True, False])
def test_steps_are_1_or_2_and_lead_from_end_to_end(size, ratio, overlapping, pseudo_random):
    for key in (KEY, None):
        found = borders(key, size, ratio, overlapping=overlapping, pseudo_random=pseudo_random)
        steps, last = np.diff(found), max(1, size - overlapping)
        regions = math.ceil(last / ratio)
        assert found.shape == (200, regions + 1)
        assert np.all(found[:, 0] == 0) and np.all(found[:, -1] == last)
        assert np.all((steps == 1) | (steps == 2))
        assert np.all((steps == 2).sum(axis=1) == last - regions)
        if key is None:
            assert np.all(found == found[:1])


def test_random_steps_are_in_any_order_and_pseudo_random_ones_are_even():
    """Of 36 rows and 26 regions 10 steps are 2: pseudo-random ones lie 2 or 3 apart."""
    drawn = borders(KEY, 36, 1.4, overlapping=False, pseudo_random=False)
    twos = np.diff(drawn) == 2
    share = twos.mean(axis=0)
    assert np.all(np.abs(share - 10 / 26) < 5 * (10 * 16 / 26**2 / 200) ** 0.5)
    assert len(np.unique(drawn, axis=0)) == 200
    even = borders(KEY, 36, 1.4, overlapping=False, pseudo_random=True)
    gaps = [set(np.diff(np.flatnonzero(row == 2))) for row in np.diff(even)]
    assert set().union(*gaps) == {2, 3}
    u = np.arange(36) / 36  # every draw there is
    law = np.floor(36 / 26 * (np.arange(27)[None] + u[:, None]) + 1e-9)
    law -= law[:, :1]
    assert {tuple(row) for row in even} <= {tuple(row) for row in law.astype(int)}


@pytest.mark.slow
@pytest.mark.parametrize("overlapping", [True, False])
@pytest.mark.parametrize("pseudo_random", [True, False])
def test_it_is_the_maxima_over_these_regions(overlapping, pseudo_random):
    x = np.asarray(jax.random.normal(jax.random.key(1), (3, 9, 7, 2)))
    how = {"overlapping": overlapping, "pseudo_random": pseudo_random}
    pool = jax.jit(lambda x: fractional_max_pool(KEY, x, (1.5, 1.25), return_indices=True, **how))
    got, indices = map(np.asarray, pool(x))
    one, two = jax.random.split(KEY)
    rows = borders(one, 9, 1.5, batch=3, **how)
    columns = borders(two, 7, 1.25, batch=3, **how)
    assert got.shape == (3, 6, 5 if overlapping else 6, 2)
    for n, i, j in np.ndindex(got.shape[:3]):
        top, bottom = rows[n, i], rows[n, i + 1] + overlapping
        left, right = columns[n, j], columns[n, j + 1] + overlapping
        region = x[n, top:bottom, left:right]
        np.testing.assert_array_equal(got[n, i, j], region.max(axis=(0, 1)))
    flat = np.take_along_axis(x.reshape(3, 63, 2), indices.reshape(3, -1, 2), axis=1)
    np.testing.assert_array_equal(flat, got.reshape(3, -1, 2))


def test_of_equal_entries_the_first_counts():
    """Also for the gradient: each region sends 1 to one entry."""
    x = jnp.zeros((1, 4, 4, 1))

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def pool(x):
        y, where = fractional_max_pool(None, x, 2.0, overlapping=False, return_indices=True)
        return jnp.sum(y), where

    slope, indices = pool(x)
    assert indices.ravel().tolist() == [0, 2, 8, 10]
    assert np.flatnonzero(slope).tolist() == [0, 2, 8, 10]


@pytest.mark.parametrize("size", [4, 10, 37])
@pytest.mark.parametrize("ratio", [1.01, 2**0.5, 1.9, 2.0])
def test_sizes_are_those_of_the_ratio_rounded_up(size, ratio):
    x = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
    for overlapping in (True, False):
        pool = functools.partial(fractional_max_pool, KEY, ratio=ratio, overlapping=overlapping)
        rows = math.ceil((size - overlapping) / ratio)
        assert jax.eval_shape(pool, x).shape == (2, rows, rows, 3)


@pytest.mark.slow
def test_pairs_are_ordinary_pooling():
    x = jax.random.normal(KEY, (2, 6, 8, 3))
    want = x.reshape(2, 3, 2, 4, 2, 3).max(axis=(2, 4))
    pool = jax.jit(lambda key, x: fractional_max_pool(key, x, 2.0, overlapping=False))
    for key in (KEY, None):
        np.testing.assert_array_equal(pool(key, x), want)


@pytest.mark.slow
def test_nan_is_not_lost_and_evaluation_is_fixed():
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1, 0].set(jnp.nan)
    pool = jax.jit(lambda x: fractional_max_pool(None, x, 2.0, overlapping=False))
    assert np.isnan(pool(x)).sum() == 1
    layer, images = FractionalMaxPool(1.5), jax.random.normal(KEY, (2, 9, 9, 1))
    want = jax.jit(lambda x: fractional_max_pool(None, x, 1.5))(images)
    got = jax.jit(lambda x: layer.apply({}, x, train=False))(images)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("ratio", [1.0, 2.1, float("nan"), (1.5, 0.5)])
def test_bad_ratios_are_named(ratio):
    x = jnp.ones((1, 4, 4, 1))
    with pytest.raises(ValueError, match=r"ratio must be in \(1.0, 2.0\], got"):
        fractional_max_pool(KEY, x, ratio)
    with pytest.raises(ValueError, match=r"ratio must be in \(1.0, 2.0\], got"):
        FractionalMaxPool(ratio)


def test_bad_arguments_are_named():
    x = jnp.ones((1, 4, 4, 1))
    with untyped():
        with pytest.raises(TypeError, match="ratio must be a number or a pair.* got"):
            fractional_max_pool(KEY, x, (1.5, 1.5, 1.5))
        with pytest.raises(TypeError, match="ratio must be a number or a pair.* got"):
            jax.jit(lambda ratio: fractional_max_pool(KEY, x, ratio))(1.5)
        with pytest.raises(ValueError, match=r"x must be .* got the shape \(4, 4, 1\)"):
            fractional_max_pool(KEY, x[0], 1.5)
        with pytest.raises(ValueError, match="x must be .* got the shape"):
            fractional_max_pool(KEY, jnp.ones((1, 0, 4, 1)), 1.5)
        with pytest.raises(TypeError, match="overlapping must be a bool, got 1"):
            fractional_max_pool(KEY, x, 1.5, overlapping=1)


def hits(key, size, ratio, how):
    """`[rows, columns, height, width]`: 1 where a region reaches an entry, for one example.

    Every channel of the image has a 1 in another place; channels share their regions.
    """
    places = jnp.eye(size[0] * size[1]).reshape(1, *size, -1)
    pooled = fractional_max_pool(key, places, ratio, **how)[0]
    return pooled.reshape(*pooled.shape[:2], *size)


@pytest.mark.slow
def test_disjoint_regions_tile_the_image_and_overlapping_ones_cover_it():
    """Each entry is in one region, or in up to two along each axis; sides are 1 or 2, or 2 or 3."""
    size, ratio, keys = (9, 7), (1.5, 1.25), jax.random.split(KEY, 4)

    @jax.jit
    def run():
        found = {False: [], True: []}
        for overlapping, regions in found.items():
            how = {"overlapping": overlapping}
            regions.append(hits(None, size, ratio, how)[None])
            for pseudo_random in (False, True):
                way = {**how, "pseudo_random": pseudo_random}
                regions.append(jax.vmap(lambda key, way=way: hits(key, size, ratio, way))(keys))
        return {overlapping: jnp.concatenate(regions) for overlapping, regions in found.items()}

    for overlapping, found in jax.device_get(run()).items():
        assert set(np.unique(found)) == {0, 1}
        times = found.sum((1, 2))
        assert set(np.unique(times)) == ({1, 2, 4} if overlapping else {1})
        heights, widths = found.max(4).sum(3), found.max(3).sum(3)
        np.testing.assert_array_equal(found.sum((3, 4)), heights * widths)
        for sides in (heights, widths):
            assert set(np.unique(sides)) == ({2, 3} if overlapping else {1, 2})


@pytest.mark.slow
def test_the_same_key_draws_the_same_regions_and_examples_and_keys_others():
    x, how = jax.random.normal(KEY, (6, 20, 20, 3)), {"return_indices": True}
    pool = jax.jit(lambda key, x: fractional_max_pool(key, x, 1.5, **how))
    same = jnp.broadcast_to(x[:1], x.shape)
    maxima, indices = pool(KEY, same)
    np.testing.assert_array_equal(pool(KEY, 2 * same)[1], indices)
    assert np.any(pool(jax.random.key(1), same)[1] != indices)
    assert len(np.unique(np.asarray(maxima), axis=0)) > 1


@pytest.mark.slow
def test_gradients_are_those_of_differences():
    """Entries lie 1 apart, so that a small difference changes no order."""
    x = jax.random.permutation(KEY, jnp.arange(2.0 * 6 * 5 * 2)).reshape(2, 6, 5, 2)

    @jax.jit
    def pools(x):
        ways = (True, False)
        return [fractional_max_pool(KEY, x, (1.5, 1.2), overlapping=way) for way in ways]

    check_grads(pools, (x,), order=1, modes=["rev"], atol=1e-2, rtol=1e-2, eps=0.25)


@pytest.mark.slow
def test_borders_of_long_rows_do_not_overflow():
    x = jnp.arange(50_000.0).reshape(1, 1, -1, 1)
    y = jax.jit(lambda x: fractional_max_pool(None, x, (1.5, 1.1)))(x)[0, 0, :, 0]
    assert y[-1] == 49_999 and (jnp.diff(y) > 0).all()
