"""Every rule at the ends of what it may meet: huge gradients, neutral values, JAX's debug flags.

Over the tables of the rules and of the presets.
"""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from tests.cases.build import build, first_values
from tests.cases.transforms import TRANSFORMS
from tests.presets import cases as presets

CASES = {**TRANSFORMS, **presets.TRANSFORMS}
LARGEST = 3e38, float(jnp.finfo(jnp.float16).max)


@pytest.fixture(scope="module", params=CASES.values(), ids=list(CASES))
def case(request):
    return request.param


def params_tree(dtype=jnp.float32):
    return {
        "Dense_0": {"kernel": jnp.array([[1.0, -2.0]], dtype)},
        "Dense_1": {"kernel": jnp.array([[0.5]], dtype), "bias": jnp.array([0.0, 1.0], dtype)},
    }


def sweep(case, tx, sizes, dtype=jnp.float32, update=None):
    """Updates and states for gradients of these sizes, both signs in each."""
    params = params_tree(dtype)
    update, state, seen = update or tx.update, tx.init(params), []
    for size in sizes:
        grads = jax.tree.map(lambda p: jnp.full_like(p, size) * jnp.sign(p), params)  # noqa: B023
        updates, state = update(grads, state, params, **case.extra)
        seen.append((updates, state))
    return seen


def no_nan(tree):
    return not any(jnp.any(jnp.isnan(leaf)) for leaf in jax.tree.leaves(tree))


@pytest.mark.slow
@pytest.mark.parametrize(
    "huge, dtype",
    [
        ([1e20, 3e38, float(jnp.finfo(jnp.float32).max)], jnp.float32),
        pytest.param([3e38], jnp.bfloat16, marks=pytest.mark.slow),
        ([float(jnp.finfo(jnp.float16).max)], jnp.float16),
    ],
    ids=str,
)
def test_a_finite_gradient_never_makes_nan(case, huge, dtype):
    """However large, whatever follows; infinities are what optax and PyTorch have there too."""
    huge, one = jnp.array(huge), jnp.ones(len(huge))
    sizes = jnp.stack([huge, -huge, one, one, -huge, huge, -one, huge, huge, 0.5 * one], axis=1)
    tx, params = build(case), params_tree(dtype)

    def body(state, size):
        grads = jax.tree.map(lambda p: (size * jnp.sign(p)).astype(dtype), params)
        updates, state = tx.update(grads, state, params, **case.extra)
        return state, (updates, state)

    run = jax.vmap(lambda sizes: jax.lax.scan(body, tx.init(params), sizes)[1])
    assert no_nan(jax.jit(run)(sizes))


@pytest.mark.slow
@pytest.mark.parametrize(
    "jitted", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["eager", "jit"]
)
def test_runs_under_the_debug_flags(case, jitted):
    """Branches that are computed and discarded included; epsilon 0 where there is one.

    Eagerly each operation is looked at, jitted the results only.
    """
    with jax.debug_nans(True), jax.debug_infs(True):
        for zero in ({}, {name: 0.0 for name in ("eps", "epsilon") if name in case.hyper}):
            tx = build(case, **zero)
            update = jax.jit(tx.update) if jitted else tx.update
            sweep(case, tx, (0.0, 1.0, -0.5, 0.0), update=update)


def shapes_and_dtypes(case, dtype, **changes):
    return jax.eval_shape(lambda: sweep(case, build(case, **changes), (1.0, -0.5), dtype))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_runs_under_strict_dtype_promotion(case, dtype):
    """Traced, as two dtypes that do not go together are found then."""
    names = {name: values[0] for name, values in case.hyper.items()}
    arrays = {name: jnp.float32(value) for name, value in names.items()}
    schedules = {name: lambda count, v=names[name]: jnp.float32(v) for name in case.scheduled}
    for changes in ({}, arrays, schedules):
        with jax.numpy_dtype_promotion("strict"):
            for updates, _ in shapes_and_dtypes(case, dtype, **changes):
                chex.assert_trees_all_equal_shapes_and_dtypes(updates, params_tree(dtype))


def test_wide_parameters_go_with_narrow_hyper_parameters(case):
    """float64 parameters and float32 rates, as our schedules give them, strict and not."""
    with jax.enable_x64(True):
        arrays = {name: jnp.float32(values[0]) for name, values in case.hyper.items()}
        first, second = shapes_and_dtypes(case, jnp.float64, **arrays)
        assert first == second and first[0]["Dense_1"]["bias"].dtype == jnp.float64
        with jax.numpy_dtype_promotion("strict"):
            assert shapes_and_dtypes(case, jnp.float64, **arrays) == [first, second]


def neutral_values(case):
    """0 for every hyper-parameter, and 1 where a decay may be 1 or is none."""
    for name in case.hyper:
        yield name, 0.0
        if name in case.up_to_one or "factor" in name or "rate" in name or name == "lr":
            yield name, 1.0


@pytest.mark.slow
def test_neutral_values_are_allowed_and_finite_traced_too(case):
    if not case.hyper:
        pytest.skip("has no hyper-parameter")
    first, sizes = first_values(case), (1.0, -0.5)
    rows = [{**first, name: value} for name, value in neutral_values(case)]

    def updates(hyper):  # a Python 0 leaves parts of a preset's state out
        return [step for step, _ in sweep(case, build(case, **hyper), sizes)]

    stacked = {name: jnp.array([row[name] for row in rows]) for name in first}
    got = jax.device_get(jax.jit(jax.vmap(updates))(stacked))
    for i, row in enumerate(rows):
        want = updates(row)
        for leaf in jax.tree.leaves(want):
            assert jnp.all(jnp.isfinite(leaf)), row
        one = jax.tree.map(lambda x, i=i: x[i], got)
        chex.assert_trees_all_close(one, want, rtol=2e-5, atol=1e-6, custom_message=str(row))


RULES = {
    "adam": (CASES["adam"].make(0.1, eps=1e-8), optax.adam(0.1)),
    "rmsprop": (
        CASES["rmsprop"].make(0.1, eps=1e-8, eps_inside=True),
        optax.rmsprop(0.1),
    ),
    "adagrad": (
        CASES["adagrad"].make(0.1, eps_inside=True, initial_accumulator=0.1),
        optax.adagrad(0.1),
    ),
    "adadelta": (CASES["adadelta"].make(0.1, decay=0.9), optax.adadelta(0.1, 0.9, eps=1e-6)),
    "momentum": (CASES["momentum"].make(0.1), optax.sgd(0.1, 0.9)),
}


@pytest.mark.slow
@pytest.mark.parametrize("ours, theirs", RULES.values(), ids=RULES)
def test_huge_gradients_as_in_optax(ours, theirs):
    gradients = jnp.array([1.0, 1e20, 1.0, -2.0, 3.0])

    def run(tx):
        start = jnp.zeros(())
        step = lambda state, g: tx.update(g, state, start)[::-1]  # noqa: E731
        return jax.lax.scan(step, tx.init(start), gradients)[1]

    chex.assert_trees_all_close(run(ours), run(theirs), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ours, theirs", RULES.values(), ids=RULES)
def test_float16_gradients_are_narrowed_after_the_rate(ours, theirs):
    """The largest float16 ten times: optax in float64 is rounded once, at the end."""
    gradients = jnp.full(10, LARGEST[1], jnp.float16)

    def run(tx, gradients):
        start = jnp.zeros((), gradients.dtype)
        step = lambda state, g: tx.update(g, state, start)[::-1]  # noqa: E731
        return jax.lax.scan(step, tx.init(start), gradients)[1]

    got = run(ours, gradients)
    assert got.dtype == jnp.float16
    with jax.enable_x64(True):
        want = run(theirs, jnp.asarray(gradients, jnp.float64))
    limit = float(jnp.finfo(jnp.float16).max)
    chex.assert_trees_all_close(
        jnp.asarray(got, jnp.float32),
        jnp.clip(jnp.asarray(want, jnp.float32), -limit, limit),
        rtol=2e-3,
    )
