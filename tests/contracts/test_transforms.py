"""Laws 1 to 4 and 7 for every gradient transformation of the table `TRANSFORMS`."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest
from flax.core import FrozenDict
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxtricks import optimizers
from tests.cases.build import build, first_values
from tests.cases.transforms import TRANSFORMS

INT32_MAX = 2**31 - 1
DECAYS = ("decay", "dampening", "momentum", "b1", "b2", "beta_1", "beta_2", "rho", "alpha")


@pytest.fixture(scope="module", params=TRANSFORMS.values(), ids=list(TRANSFORMS))
def case(request):
    return request.param


@pytest.fixture(scope="module")
def eager_run(case):
    """The updates of four steps outside of any transformation."""
    return run(case, build(case), params_tree())


def params_tree(dtype=jnp.float32):
    return {
        "Dense_0": {"kernel": jnp.linspace(-1, 1, 6, dtype=dtype).reshape(2, 3)},
        "Dense_1": {"bias": jnp.array([0.5, -2.0], dtype)},
    }


def gradients(params, step):
    return jax.tree.map(lambda p: (p * (1 + step) + 0.1).astype(p.dtype), params)


def run(case, tx, params, steps=4, update=None):
    """The updates of `steps` steps, stacked."""
    update, state, out = update or tx.update, tx.init(params), []
    for step in range(steps):
        updates, state = update(gradients(params, step), state, params, **case.extra)
        params = optax.apply_updates(params, updates)
        out.append(updates)
    return out


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_updates_keep_dtype_and_moments_are_wide(case, dtype):
    tx, params = build(case), params_tree(dtype)
    state = tx.init(params)
    updates, after = tx.update(gradients(params, 0), state, params, **case.extra)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    chex.assert_tree_all_finite(updates)
    assert all(leaf.dtype != jnp.bfloat16 for leaf in jax.tree.leaves(after))


def test_bfloat16_hyper_parameters_are_not_rounded(case):
    if case.make is optimizers.full_precision:
        pytest.skip("its updates lead from a rounded parameter to the next: test_full_precision.py")
    params = params_tree(jnp.bfloat16)
    exact = gradients(params, 0)
    wide = jax.tree.map(lambda x: x.astype(jnp.float32), exact)
    tx = build(case)
    got, _ = tx.update(exact, tx.init(params), params, **case.extra)
    wide_params = jax.tree.map(lambda x: x.astype(jnp.float32), params)
    want, _ = tx.update(wide, tx.init(wide_params), wide_params, **case.extra)
    # one rounding to bfloat16 for each link of a chain, none of a hyper-parameter
    chex.assert_trees_all_close(
        jax.tree.map(lambda x: x.astype(jnp.float32), got), want, rtol=2**-7, atol=1e-30
    )


def test_wide_hyper_parameters_do_not_widen_the_state(case):
    with jax.enable_x64(True):
        hyper = {name: jnp.asarray(pair[0], jnp.float64) for name, pair in case.hyper.items()}
        tx, params = build(case, **hyper), params_tree(jnp.float32)
        state = tx.init(params)
        step = jax.eval_shape(tx.update, gradients(params, 0), state, params, **case.extra)
        chex.assert_trees_all_equal_shapes_and_dtypes(step, jax.eval_shape(lambda: (params, state)))


def test_integer_leaves_are_refused_by_name(case):
    tx, params = build(case), {"Dense_0": {"kernel": jnp.ones(2), "w": jnp.ones(2)}}
    whole = {"Dense_0": {"kernel": jnp.ones(2), "w": jnp.ones(2, jnp.int32)}}
    with pytest.raises(TypeError, match=r"params\['Dense_0'\]\['w'\] must be floating, got int"):
        tx.init(whole)
    with pytest.raises(TypeError, match=r"updates\['Dense_0'\]\['w'\] must be floating"):
        tx.update(whole, tx.init(params), params, **case.extra)


@pytest.mark.parametrize(
    "params",
    [{}, {"a": None, "b": jnp.ones(2)}, FrozenDict({"x": (jnp.ones(2), [jnp.ones(())])})],
    ids=["empty", "none", "nested"],
)
def test_odd_trees(case, params):
    tx = build(case)
    updates, _ = tx.update(params, tx.init(params), params, **case.extra)
    chex.assert_trees_all_equal_structs(updates, params)


def test_ignores_unknown_extra_arguments(case):
    tx, params = build(case), params_tree()
    grads = gradients(params, 0)
    got, _ = tx.update(grads, tx.init(params), params, **case.extra, unknown=object())
    want, _ = tx.update(grads, tx.init(params), params, **case.extra)
    chex.assert_trees_all_equal(got, want)


def test_zero_gradients_stay_finite(case):
    tx, params = build(case, **({"eps": 0.0} if "eps" in case.hyper else {})), params_tree()
    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update(
            jax.tree.map(jnp.zeros_like, params), state, params, **case.extra
        )
        chex.assert_tree_all_finite(updates)


def test_jit_agrees_traces_once_repeats_bitwise_and_may_take_the_state_over(case, eager_run):
    """The state is donated: neither parameters nor a part of it that occurs twice may be in it."""
    tx, params = build(case), params_tree()
    step = jax.jit(chex.assert_max_traces(tx.update, n=1), donate_argnums=1)
    jitted = run(case, tx, params, update=step)
    chex.assert_trees_all_close(jitted, eager_run, rtol=1e-5, atol=1e-7)
    chex.assert_trees_all_equal(jitted, run(case, tx, params, update=step))
    _, state = tx.update(gradients(params, 0), tx.init(params), params, **case.extra)
    step(gradients(params, 1), state, params, **case.extra)


def test_scan_agrees(case, eager_run):
    tx, params = build(case), params_tree()

    def body(carry, step):
        params, state = carry
        updates, state = tx.update(gradients(params, step), state, params, **case.extra)
        return (optax.apply_updates(params, updates), state), updates

    _, got = jax.lax.scan(body, (params, tx.init(params)), jnp.arange(4))
    want = jax.tree.map(lambda *x: jnp.stack(x), *eager_run)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-7)


def test_vmap_over_each_hyper_parameter_equals_the_loop(case):
    if not case.hyper:
        pytest.skip("has no hyper-parameter")
    params, first = params_tree(), first_values(case)
    rows = [first, *({**first, name: values[1]} for name, values in case.hyper.items())]

    @jax.jit
    @jax.vmap
    @chex.assert_max_traces(n=1)
    def sweep(hyper):
        return run(case, build(case, **hyper), params, 3)

    got = jax.device_get(sweep({name: jnp.array([row[name] for row in rows]) for name in first}))
    for i, row in enumerate(rows):
        want = run(case, build(case, **row), params, 3)
        one = jax.tree.map(lambda x, i=i: x[i], got)
        chex.assert_trees_all_close(one, want, rtol=2e-5, atol=1e-6, custom_message=str(row))
    for name, values in case.hyper.items():  # traced alone, the others being numbers
        jax.eval_shape(lambda v, n=name: run(case, build(case, **{n: v}), params, 1), values[1])


def test_gradient_in_each_hyper_parameter_is_finite_at_zero_gradients(case):
    params = params_tree()
    zeros = jax.tree.map(jnp.zeros_like, params)

    @jax.jit
    @jax.grad
    def slopes(hyper):
        tx = build(case, **hyper)
        state = tx.init(params)
        for _ in range(2):
            updates, state = tx.update(zeros, state, params, **case.extra)
        return sum(jnp.sum(u) for u in jax.tree.leaves(updates))

    for name, slope in slopes(first_values(case)).items():
        assert jnp.isfinite(slope), name


def test_schedules_are_hyper_parameters_and_start_at_zero(case):
    params = params_tree()
    for name in case.scheduled:
        low, high = sorted(case.hyper[name])

        def schedule(count, low=low, high=high):
            return jnp.where(count < 2, low, high)

        want, constant = run(case, build(case, **{name: low}), params, 3), None
        got = run(case, build(case, **{name: schedule}), params, 3)
        chex.assert_trees_all_close(got[:2], want[:2], rtol=1e-5, atol=1e-7)
        constant = jax.tree.leaves(want[2])
        assert any(
            not jnp.allclose(g, w, rtol=1e-4)
            for g, w in zip(jax.tree.leaves(got[2]), constant, strict=True)
        ), f"{name}: the schedule's third value was not used"


def test_counters_saturate(case):
    tx, params = build(case), params_tree()
    state = tx.init(params)

    def last(leaf):
        whole = jnp.issubdtype(leaf.dtype, jnp.integer)
        return jnp.full_like(leaf, INT32_MAX) if whole else leaf

    updates, after = tx.update(
        gradients(params, 0), jax.tree.map(last, state), params, **case.extra
    )
    chex.assert_tree_all_finite(updates)
    for leaf in jax.tree.leaves(after):
        assert not jnp.issubdtype(leaf.dtype, jnp.integer) or jnp.all(leaf >= 0)


def test_complex_leaves_are_refused(case):
    with pytest.raises(TypeError, match="complex"):
        tx = build(case)
        params = {"w": jnp.ones(2, jnp.complex64)}
        tx.update(params, tx.init(params), params, **case.extra)


def test_mismatched_trees_are_refused(case):
    tx = build(case)
    state = tx.init(params_tree())
    keeps_moments = any(leaf.ndim for leaf in jax.tree.leaves(state))
    wrong_shape = jax.tree.map(lambda p: jnp.ones((*p.shape, 2)), params_tree())
    for wrong in ({"w": jnp.ones(2)}, wrong_shape):
        for params in (params_tree(), wrong) if keeps_moments else (params_tree(),):
            with pytest.raises(ValueError, match="updates.* must have"):
                tx.update(wrong, state, params, **case.extra)


def test_bad_hyper_parameters_are_refused(case):
    for name, values in case.hyper.items():
        signed = name == "initial_velocity"  # the only one that may be negative
        decays = name in DECAYS
        bads = [float("nan"), float("inf"), -float("inf"), *([] if signed else [-0.1])]
        over = 1.1 if name in case.up_to_one else 1.0
        for bad in (*bads, *([over] if decays else [])):
            with pytest.raises(ValueError, match=name):
                build(case, **{name: bad})
        with pytest.raises(TypeError, match=name):
            build(case, **{name: "0.1"})
        assert build(case, **{name: jnp.float32(values[0])})


def test_inside_optax_wrappers(case, eager_run):
    params, plain = params_tree(), eager_run[:2]
    injected = optax.inject_hyperparams(case.make, static_args=tuple(case.static))(
        **case.static, **first_values(case)
    )
    wrapped = (
        optax.chain(build(case), optax.identity()),
        optax.masked(build(case), True),
        optax.partition({"all": build(case)}, "all"),
        injected,
    )
    for tx in wrapped:
        chex.assert_trees_all_close(run(case, tx, params, 2), plain, rtol=2e-5, atol=1e-6)
    tx = optax.MultiSteps(optax.apply_if_finite(build(case), 2), 1)
    got = run(case, tx, params, 2, update=jax.jit(tx.update))  # eager conditions recompile
    chex.assert_trees_all_close(got, plain, rtol=2e-5, atol=1e-6)


def test_masked_out_leaves_pass_untouched(case):
    params = params_tree()
    mask = {"Dense_0": {"kernel": True}, "Dense_1": {"bias": False}}
    tx = optax.masked(build(case), mask)
    grads = gradients(params, 0)
    updates, _ = tx.update(grads, tx.init(params), params, **case.extra)
    chex.assert_trees_all_equal(updates["Dense_1"], grads["Dense_1"])


@pytest.mark.slow
def test_sharded_parameters_give_the_same_updates():
    """From one program to the next; `test_devices.py` has them in one. All rules are in a program:
    one for each takes far longer to compile."""
    rules = {name: build(case) for name, case in TRANSFORMS.items()}

    def init(params):
        return {name: tx.init(params) for name, tx in rules.items()}

    def update(grads, states, params):
        done = {
            name: tx.update(grads, states[name], params, **TRANSFORMS[name].extra)
            for name, tx in rules.items()
        }
        return [{name: pair[i] for name, pair in done.items()} for i in range(2)]

    params = {"w": jnp.linspace(-1, 1, 8).reshape(4, 2)}
    sharding = NamedSharding(Mesh(jax.devices()[:2], ("data",)), PartitionSpec("data"))
    sharded, step_of_all = jax.device_put(params, sharding), jax.jit(update)
    plain, states = init(params), jax.jit(init)(sharded)
    for step in range(3):
        grads = gradients(params, step)
        want, plain = update(grads, plain, params)
        placed = jax.device_put(grads, sharding)
        got, states = jax.block_until_ready(step_of_all(placed, states, sharded))
        for name in rules:
            chex.assert_trees_all_close(
                got[name], want[name], rtol=1e-5, atol=1e-7, custom_message=name
            )


def test_descends_a_bowl(case):
    if not case.descends:
        pytest.skip("a link, not a whole optimizer")
    tx, target = build(case), jnp.array([1.0, -2.0])

    def body(carry, _):
        x, state = carry
        updates, state = tx.update(x - target, state, x, **case.extra)
        return (optax.apply_updates(x, updates), state), None

    start = jnp.zeros(2)
    (x, _), _ = jax.lax.scan(body, (start, tx.init(start)), length=300)
    chex.assert_trees_all_close(x, target, atol=0.05)
