"""Laws 2, 3, 4 and 7 for every schedule of the table `SCHEDULES`."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cases.build import build
from tests.cases.schedules import SCHEDULES
from tests.untyped import untyped

COUNTS = jnp.array([0, 1, 2, 3, 5, 8, 9, 10, 11, 40, 2**24 + 1, 2**31 - 1], jnp.int32)
TABLE = np.asarray(COUNTS).reshape(3, 4)


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
    loop = np.stack([schedule(int(count)) for count in COUNTS])
    traced = jax.jit(chex.assert_max_traces(schedule, n=1))
    chex.assert_trees_all_close(np.stack([traced(c) for c in COUNTS]), loop, rtol=1e-6, atol=1e-7)

    @jax.jit  # outside of it each operation is a program
    def together(counts):
        scanned = jax.lax.scan(lambda carry, c: (carry, schedule(c)), None, counts)[1]
        return jax.vmap(schedule)(counts), scanned

    for got in together(COUNTS):
        chex.assert_trees_all_close(got, loop, rtol=1e-6, atol=1e-7)


def test_vmap_over_each_hyper_parameter_equals_the_loop(case):
    for name, values in case.hyper.items():
        chex.clear_trace_counter()
        make = chex.assert_max_traces(lambda v, name=name: build(case, **{name: v})(5), n=1)
        got = jax.jit(jax.vmap(make))(jnp.array(values))
        want = np.stack([build(case, **{name: v})(5) for v in values])
        chex.assert_trees_all_close(got, want, rtol=2e-5)


def test_bad_hyper_parameters_are_refused(case):
    for name in case.hyper:
        for bad in (float("nan"), float("inf"), -1.0):
            with pytest.raises(ValueError, match=name):
                build(case, **{name: bad})
        with pytest.raises(TypeError, match=name):
            build(case, **{name: "0.1"})


def test_of_an_array_of_counts_it_is_the_array_of_its_values(case):
    schedule = build(case)
    loop = np.stack([schedule(int(count)) for count in TABLE.ravel()]).reshape(3, 4)

    @jax.jit  # outside of it each operation is a program
    def traced(*counts):
        return [form(own) for form in (schedule, jax.vmap(schedule)) for own in counts]

    plain = [schedule(TABLE), schedule(jnp.uint32(TABLE))]
    for got in (*plain, *traced(TABLE, np.uint32(TABLE))):
        assert got.shape == (3, 4) and got.dtype == jnp.float32
        chex.assert_trees_all_close(got, loop, rtol=1e-6, atol=1e-12)
    halves = np.arange(12).reshape(3, 4) / 2  # epochs may be fractions
    want = np.stack([schedule(float(count)) for count in halves.ravel()]).reshape(3, 4)
    chex.assert_trees_all_close(schedule(halves), want, rtol=1e-6, atol=1e-12)
    none = np.zeros((0, 2), np.int32)
    assert jax.eval_shape(lambda: schedule(none)).shape == (0, 2)
    assert schedule(np.zeros((), np.int32)).shape == ()


def test_the_first_bad_count_of_an_array_is_named(case):
    with pytest.raises(ValueError, match=r"count must be in .* got -2"):
        build(case)(np.array([3, -2, -5]))
    with pytest.raises(ValueError, match=r"count must be in .* got nan"):
        build(case)(np.array([3, np.nan]))


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
def test_it_runs_under_strict_promotion_and_the_debugging_flags(case, wide):
    want = build(case)(5)
    with (
        jax.numpy_dtype_promotion("strict"),
        jax.debug_nans(True),
        jax.debug_infs(True),
        jax.enable_x64(wide),
    ):
        for cast in (float, np.float64, jnp.bfloat16):
            hyper = {name: cast(values[0]) for name, values in case.hyper.items()}
            close = 2e-2 if cast is jnp.bfloat16 else 1e-5
            schedule = build(case, **hyper)
            for count in (np.int8(5), jnp.uint32(5), np.float64(5), jnp.bfloat16(5)):
                chex.assert_trees_all_close(schedule(count), want, rtol=close)
            traced = jax.jit(lambda hyper, count: build(case, **hyper)(count))
            chex.assert_trees_all_close(traced(hyper, jnp.uint32(5)), want, rtol=close)
        assert np.all(np.isfinite(schedule(np.asarray(COUNTS))))


def test_gradients_run_under_the_debugging_flags(case):
    hyper = {name: values[0] for name, values in case.hyper.items()}
    with jax.debug_nans(True), jax.debug_infs(True):
        for count in (0, 5, 100, 2**31 - 1):
            slopes = jax.grad(lambda hyper, c=count: build(case, **hyper)(c))(hyper)
            assert np.all(np.isfinite(jax.tree.leaves(slopes)))


def lengths(case):
    """Its integer arguments, and each number of a sequence of them: names and how to change one."""
    for name, value in case.static.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value, lambda new, name=name: {name: new}
        elif isinstance(value, tuple | list) and name in ("boundaries", "milestones"):
            for place, step in enumerate(value):
                yield (
                    name,
                    step,
                    lambda new, n=name, v=value, p=place: {n: [*v[:p], new, *v[p + 1 :]]},
                )


def test_traced_lengths_work_or_are_refused_by_name(case):
    for name, value, change in lengths(case):
        make = jax.jit(lambda length, change=change: build(case, **change(length))(TABLE))
        try:
            with untyped():  # lengths are annotated as integers
                got = make(value)
        except TypeError as error:
            assert str(error).startswith(f"{name} must not be traced"), error
            continue
        chex.assert_trees_all_close(got, build(case)(TABLE), rtol=1e-6, atol=1e-12)


def test_lengths_of_zero_are_refused_by_name_or_give_numbers_traced_too(case):
    for name, value, change in lengths(case):
        try:
            want = build(case, **change(0))(TABLE)
        except ValueError as error:
            assert name in str(error)
            continue
        assert np.all(np.isfinite(want))
        with untyped():
            both = jax.vmap(lambda length, change=change: build(case, **change(length))(TABLE))
            got = jax.jit(both)(jnp.array([0, value]))
        chex.assert_trees_all_close(got[0], want, rtol=1e-6, atol=1e-12)
        chex.assert_trees_all_close(got[1], build(case)(TABLE), rtol=1e-6, atol=1e-12)
