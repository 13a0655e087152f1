"""Laws 2 to 4 and 7 for every averager; the table is complete."""

import inspect

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxtricks import averaging
from tests.cases.averagers import AVERAGERS
from tests.cases.build import build

INT32_MAX = 2**31 - 1
STEPS = 6


@pytest.fixture(params=AVERAGERS.values(), ids=list(AVERAGERS))
def case(request):
    return request.param


def params_at(step):
    value = jnp.asarray(step, jnp.float32)
    return {"w": jnp.arange(3.0) * value, "b": ((value**2).astype(jnp.bfloat16), None), "e": ()}


def run(averager, update=None):
    """The outputs, stacked, and the last state."""
    update, state, outputs = update or averager.update, averager.init(params_at(0)), []
    for step in range(1, STEPS + 1):
        output, state = update(params_at(step), state)
        outputs.append(output)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs), state


def scan(averager, start=None):
    """The same in one loop."""
    start = averager.init(params_at(0)) if start is None else start
    state, outputs = jax.lax.scan(
        lambda state, step: averager.update(params_at(step), state)[::-1],
        start,
        jnp.arange(1, STEPS + 1),
    )
    return outputs, state


def test_every_averager_is_in_the_table():
    factories = {
        function
        for name, function in vars(averaging).items()
        if inspect.isfunction(function)
        and inspect.signature(function).return_annotation == averaging.Averager
    }
    assert factories == {case.make for case in AVERAGERS.values()}
    for case in AVERAGERS.values():
        parameters = set(inspect.signature(case.make).parameters)
        assert parameters == set(case.hyper) | set(case.static)


def test_every_averager_says_what_becomes_of_batch_norm(case):
    assert "`recalibrate_batch_norm`" in case.make.__doc__


@pytest.mark.slow
def test_output_keeps_dtypes_and_state_is_wide_and_stable(case):
    averager = build(case)
    start = averager.init(params_at(0))
    output, state = averager.update(params_at(1), start)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, start)
    output = output.params if isinstance(output, averaging.Snapshots) else output
    assert output["w"].dtype == jnp.float32 and output["b"][0].dtype == jnp.bfloat16
    assert output["b"][1] is None and output["e"] == ()
    if hasattr(state, "average"):
        assert state.average["b"][0].dtype == jnp.float32


@pytest.mark.slow
def test_jit_agrees_and_traces_once(case):
    averager = build(case)
    traced = jax.jit(chex.assert_max_traces(averager.update, n=1))
    chex.assert_trees_all_close(run(averager, traced), run(averager), rtol=1e-6)


@pytest.mark.slow
def test_scan_agrees_and_the_first_parameters_may_be_donated(case):
    averager, first = build(case), params_at(0)
    start = averager.init(first)
    jax.tree.map(lambda leaf: leaf.delete(), first)
    got = scan(averager, start)
    chex.assert_trees_all_close(got, run(averager), rtol=1e-6)


def test_state_may_be_donated(case):
    averager = build(case)
    donating = jax.jit(lambda params, state: averager.update(params, state)[1], donate_argnums=1)
    state = donating(params_at(2), donating(params_at(1), averager.init(params_at(0))))
    _, want = averager.update(params_at(1), averager.init(params_at(0)))
    chex.assert_trees_all_close(state, averager.update(params_at(2), want)[1], rtol=1e-6)


@pytest.mark.slow
def test_vmap_over_each_hyper_parameter_equals_the_loop(case):
    for name, values in case.hyper.items():
        chex.clear_trace_counter()

        @jax.vmap
        @chex.assert_max_traces(n=1)
        def sweep(value, name=name):
            return scan(build(case, **{name: value}))[0]

        loop = [scan(build(case, **{name: value}))[0] for value in values]
        want = jax.tree.map(lambda *x: jnp.stack(x), *loop)
        assert not jnp.array_equal(want["w"][0], want["w"][1]), f"{name} makes no difference"
        chex.assert_trees_all_close(sweep(jnp.array(values)), want, rtol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("huge, dtype", [(3e38, jnp.float32), (6.5e4, jnp.float16)], ids=str)
def test_finite_parameters_never_make_nan(case, huge, dtype):
    """Opposite signs too: their difference is infinite, and their mean is not."""
    averager, start = build(case), {"w": jnp.ones(2, dtype)}
    state = averager.init(start)
    for size in (1.0, huge, -huge, -huge, huge, 1.0):
        output, state = averager.update({"w": jnp.full(2, size, dtype)}, state)
        for leaf in jax.tree.leaves((output, state)):
            assert jnp.all(jnp.isfinite(leaf))


@pytest.mark.slow
def test_runs_under_the_debug_flags_and_strict_dtype_promotion(case):
    want = run(build(case))
    arrays = {
        name: jnp.asarray(values[0], jnp.float32 if name == "decay" else jnp.int32)
        for name, values in case.hyper.items()
    }
    with (
        jax.debug_nans(True),
        jax.debug_infs(True),
        jax.numpy_dtype_promotion("strict"),
    ):
        for averager in (build(case), build(case, **arrays)):
            for update in (averager.update, jax.jit(averager.update)):
                got = run(averager, update)
                chex.assert_trees_all_close(got, want, rtol=1e-5)


def test_counters_saturate(case):
    averager = build(case)
    state = averager.init(params_at(0))._replace(count=jnp.int32(INT32_MAX))
    output, state = averager.update(params_at(1), state)
    assert state.count == INT32_MAX
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(output))


def test_other_parameters_than_at_first_are_refused(case):
    averager = build(case)
    state = averager.init({"w": jnp.ones(2)})
    with pytest.raises(ValueError, match="params must have the structure of the first params"):
        averager.update({"v": jnp.ones(2)}, state)
    with pytest.raises(ValueError, match=r"params\['w'\] must have the shape .*\(2,\), got \(3,\)"):
        averager.update({"w": jnp.ones(3)}, state)
