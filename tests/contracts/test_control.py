"""Laws 1 to 3 and 7 for every state rule of the table `CONTROLS`."""

import chex
import jax
import jax.numpy as jnp
import pytest

from tests.cases.build import build
from tests.cases.control import CONTROLS

INT32_MAX = 2**31 - 1
ERRORS = (3.0, 2.0, 1.5, 1.6, 1.8, 2.5, 2.6, 2.7, 1.0, 1.0)


@pytest.fixture(params=CONTROLS.values(), ids=list(CONTROLS))
def case(request):
    return request.param


def params_at(step):
    return {"w": jnp.full(3, step, jnp.float32), "b": (jnp.full((), -step, jnp.bfloat16), None)}


def run(case, rule, errors=ERRORS, update=None):
    """The outputs, stacked, and the last state."""
    update, state, outputs = update or rule.update, rule.init(params_at(0)), []
    for step, error in enumerate(errors):
        output, state = update(case.observe(error), state, params_at(step + 1))
        outputs.append(output)
    return jnp.stack(outputs), state


def scan(case, rule, errors):
    """The same in one loop."""

    def body(state, seen):
        error, step = seen
        output, state = rule.update(case.observe(error), state, params_at(step))
        return state, output

    seen = (errors, jnp.arange(1, len(errors) + 1))
    state, outputs = jax.lax.scan(body, rule.init(params_at(0)), seen)
    return outputs, state


@pytest.mark.slow
def test_something_happens(case):
    """The errors make every rule act, so that the tests below can fail."""
    outputs, state = run(case, build(case))
    assert (outputs[0] != outputs[-1]) == case.acts
    assert case.acts or int(state.best_observation) == 9


def test_outputs_and_state_keep_structure_shapes_and_dtypes(case):
    rule = build(case)
    start = rule.init(params_at(0))
    output, state = rule.update(None, start, params_at(0))
    assert output.shape == () and output.dtype in (jnp.float32, jnp.bool)
    for error in (3.0, jnp.nan, 1, jnp.float32(2.0), jnp.bfloat16(4.0), -jnp.inf):
        after, state = rule.update(case.observe(error), state, params_at(1))
        chex.assert_trees_all_equal_shapes_and_dtypes(after, output)
        chex.assert_trees_all_equal_shapes_and_dtypes(state, start)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))


@pytest.mark.slow
def test_jit_agrees_and_traces_once(case):
    rule = build(case)
    traced = jax.jit(chex.assert_max_traces(rule.update, n=1))
    chex.assert_trees_all_close(run(case, rule, update=traced), run(case, rule), rtol=1e-6)


@pytest.mark.slow
def test_state_may_be_donated(case):
    rule = build(case)
    donating = jax.jit(rule.update, donate_argnums=1)
    want = run(case, rule)
    for _ in range(2):  # nor does one run use up another's first state
        chex.assert_trees_all_close(run(case, rule, update=donating), want, rtol=1e-6)


def test_first_parameters_may_be_donated(case):
    rule, params = build(case), params_at(0)
    state = rule.init(params)
    jax.tree.map(lambda leaf: leaf.delete(), params)
    chex.assert_trees_all_equal(state, rule.init(params_at(0)))


@pytest.mark.slow
def test_scan_agrees(case):
    rule = build(case)
    got = scan(case, rule, jnp.array(ERRORS))
    chex.assert_trees_all_close(got, run(case, rule), rtol=1e-6)


@pytest.mark.slow
def test_vmap_over_each_hyper_parameter_equals_the_loop(case):
    if not case.hyper:
        pytest.skip("has no hyper-parameter")
    errors, first = jnp.array(ERRORS), {name: values[0] for name, values in case.hyper.items()}
    rows = [first, *({**first, name: values[1]} for name, values in case.hyper.items())]

    @jax.jit
    @jax.vmap
    @chex.assert_max_traces(n=1)
    def sweep(hyper):
        return scan(case, build(case, **hyper), errors)

    got = jax.device_get(sweep({name: jnp.array([row[name] for row in rows]) for name in first}))
    wants = [run(case, build(case, **row)) for row in rows]
    for i, want in enumerate(wants):
        one = jax.tree.map(lambda x, i=i: x[i], got)
        chex.assert_trees_all_close(one, want, rtol=2e-5, custom_message=str(rows[i]))
    for (name, values), want in zip(case.hyper.items(), wants[1:], strict=True):
        assert not jnp.array_equal(want[0], wants[0][0]), f"{name} makes no difference here"
        jax.eval_shape(lambda v, n=name: scan(case, build(case, **{n: v}), errors), values[1])


@pytest.mark.slow
def test_vmap_over_runs_equals_each_run_alone(case):
    rule, runs = build(case), (ERRORS, ERRORS[::-1], (1.0,) * len(ERRORS))
    got = jax.jit(jax.vmap(lambda errors: scan(case, rule, errors)))(jnp.array(runs))
    want = jax.tree.map(lambda *x: jnp.stack(x), *(run(case, rule, errors) for errors in runs))
    chex.assert_trees_all_close(got, want, rtol=1e-6)


@pytest.mark.parametrize("seen", [0, 2, len(ERRORS)])
def test_none_is_no_observation(case, seen):
    """Law 1: the state comes back as it was, with the output in force."""
    rule = build(case)
    outputs, state = run(case, rule, ERRORS[: max(seen, 1)])
    state = state if seen else rule.init(params_at(0))
    output, after = rule.update(None, state, params_at(9))
    chex.assert_trees_all_equal(after, state)
    assert not seen or output == outputs[-1]
    later, _ = rule.update(case.observe(2.0), after, params_at(9))
    assert later == rule.update(case.observe(2.0), state, params_at(9))[0]


@pytest.mark.parametrize("first", [jnp.nan, jnp.inf, -jnp.inf])
def test_first_finite_value_improves_and_nothing_else_does(case, first):
    rule = build(case)
    outputs, state = run(case, rule, (first,))
    assert outputs[0] == rule.update(None, rule.init(params_at(0)))[0]
    _, state = rule.update(case.observe(5.0), state, params_at(2))
    assert state.best_value == 5.0
    for bad in (jnp.nan, -jnp.inf, 6.0):
        _, state = rule.update(case.observe(bad), state, params_at(3))
        assert state.best_value == 5.0
    for name, want in (("best_observation", 2), ("best_variables", params_at(2))):
        chex.assert_trees_all_equal(getattr(state, name, want), want)


def test_counters_saturate(case):
    rule = build(case)

    def last(leaf):
        return jnp.full_like(leaf, INT32_MAX) if leaf.dtype == jnp.int32 else leaf

    state = rule.init({"w": jnp.ones(2)})
    for error in (3.0, 4.0):
        _, state = rule.update(case.observe(error), jax.tree.map(last, state), {"w": jnp.ones(2)})
        counters = [leaf for leaf in jax.tree.leaves(state) if leaf.dtype == jnp.int32]
        assert counters and all(counter >= 0 for counter in counters)


def test_bad_hyper_parameters_are_refused(case):
    for name in case.hyper:
        for bad in (float("nan"), float("inf"), -1.0):
            with pytest.raises(ValueError, match=name):
                build(case, **{name: bad})
        with pytest.raises(TypeError, match=name):
            build(case, **{name: "0.1"})
    for name, value in case.static.items():
        if isinstance(value, int) and not isinstance(value, bool):
            with pytest.raises(ValueError, match=name):
                build(case, **{name: -1})
            with pytest.raises(TypeError, match=name):
                build(case, **{name: 1.5})


@pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jit"])
def test_runs_under_the_debug_flags_and_strict_dtype_promotion(case, jitted):
    """The first state is finite too, an error of 0 included, and so is a metric that never came."""
    numbers = {name: values[0] for name, values in case.hyper.items()}
    arrays = {name: jnp.float32(value) for name, value in numbers.items()}
    errors = (3.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0)
    want = run(case, build(case), errors)
    with (
        jax.debug_nans(True),
        jax.debug_infs(True),
        jax.numpy_dtype_promotion("strict"),
    ):
        for changes in ({}, arrays):
            rule = build(case, **changes)
            init, update = map(jax.jit, rule[:2]) if jitted else rule[:2]
            _, state = update(None, init(params_at(0)), params_at(0))
            chex.assert_tree_all_finite(state)
            chex.assert_trees_all_close(run(case, rule, errors, update), want, rtol=1e-6)


@pytest.mark.slow
def test_neutral_values_are_allowed(case):
    errors = jnp.array(ERRORS)
    for name, values in case.hyper.items():
        for value in (0.0, *([1.0] if name in ("factor", "initial") else [])):
            want, _ = run(case, build(case, **{name: value}))
            mapped = jax.vmap(lambda v, n=name: scan(case, build(case, **{n: v}), errors)[0])
            got = jax.jit(mapped)(jnp.array([value, values[0]]))
            chex.assert_trees_all_close(got[0], want, rtol=1e-6)


def test_metrics_that_are_no_scalars_are_refused(case):
    rule = build(case)
    with pytest.raises((TypeError, ValueError), match="value"):
        rule.update(case.observe(jnp.ones(2)), rule.init(params_at(0)), params_at(1))
