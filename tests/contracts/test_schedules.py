"""Laws 2, 3 and 7 for every schedule of the table `SCHEDULES`."""

import chex
import jax
import jax.numpy as jnp
import pytest

from tests.cases.build import build
from tests.cases.schedules import SCHEDULES

COUNTS = jnp.array([0, 1, 2, 3, 5, 8, 9, 10, 11, 40, 2**24 + 1, 2**31 - 1], jnp.int32)


@pytest.fixture(params=SCHEDULES.values(), ids=list(SCHEDULES))
def case(request):
    return request.param


def test_value_is_a_finite_float32_scalar(case):
    schedule = build(case)
    for count in (0, 3, 10, jnp.int32(7), 2**31 - 1):
        value = jnp.asarray(schedule(count))
        chex.assert_shape(value, ())
        assert value.dtype == jnp.float32
        assert jnp.isfinite(value) and value >= 0


def test_jit_vmap_and_scan_over_the_count_agree_with_the_loop(case):
    schedule = build(case)
    loop = jnp.stack([jnp.asarray(schedule(count)) for count in COUNTS])
    traced = jax.jit(chex.assert_max_traces(schedule, n=1))
    chex.assert_trees_all_close(jnp.stack([traced(c) for c in COUNTS]), loop, rtol=1e-6, atol=1e-7)
    chex.assert_trees_all_close(jax.vmap(schedule)(COUNTS), loop, rtol=1e-6, atol=1e-7)
    _, scanned = jax.lax.scan(lambda carry, c: (carry, schedule(c)), None, COUNTS)
    chex.assert_trees_all_close(scanned, loop, rtol=1e-6, atol=1e-7)


def test_vmap_over_each_hyper_parameter_equals_the_loop(case):
    for name, values in case.hyper.items():
        chex.clear_trace_counter()
        make = chex.assert_max_traces(lambda v, name=name: build(case, **{name: v})(5), n=1)
        got = jax.vmap(make)(jnp.array(values))
        want = jnp.stack([jnp.asarray(build(case, **{name: v})(5)) for v in values])
        chex.assert_trees_all_close(got, want, rtol=2e-5)


def test_gradient_in_each_hyper_parameter_is_finite(case):
    for name, values in case.hyper.items():
        for count in (0, 5, 100):
            slope = jax.grad(lambda v, c=count, n=name: build(case, **{n: v})(c))(values[0])
            assert jnp.isfinite(slope), (name, count)


def test_bad_hyper_parameters_are_refused(case):
    for name in case.hyper:
        for bad in (float("nan"), float("inf"), -1.0):
            with pytest.raises(ValueError, match=name):
                build(case, **{name: bad})
        with pytest.raises(TypeError, match=name):
            build(case, **{name: "0.1"})
