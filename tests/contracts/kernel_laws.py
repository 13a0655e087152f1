"""What every pure function of arrays must obey, as functions of its row in `KERNELS`."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tests.cases.build import first_values
from tests.cases.layers import example
from tests.untyped import untyped

KEY = jax.random.key(0)
CLOSE = {"rtol": 2e-5, "atol": 1e-6}


def call(row, arrays=None, *, key=KEY, **changes):
    arrays = arrays_of(row) if arrays is None else arrays
    given = {**row.static, **first_values(row), **changes}
    return row.function(*((key,) if row.key else ()), *arrays, **given)


def arrays_of(row, dtype=jnp.float32):
    return [example(shape, dtype) for shape in row.arrays.values()]


def leaves(tree):
    return jax.tree.leaves(tree)


def jit_vmap_and_sharding_agree_with_the_plain_call(row):
    arrays = arrays_of(row)
    want = call(row, arrays)
    traced = jax.jit(chex.assert_max_traces(lambda arrays: call(row, arrays), n=1))
    chex.assert_trees_all_close(traced(arrays), want, **CLOSE)
    pairs = [np.stack([array, array]) for array in arrays]
    mapped = jax.device_get(jax.jit(jax.vmap(lambda arrays: call(row, arrays)))(pairs))
    for index in range(2):
        one = jax.tree.map(lambda leaf, i=index: leaf[i], mapped)
        chex.assert_trees_all_close(one, want, **CLOSE)
    if all(len(array) % 2 == 0 for array in arrays):
        mesh = Mesh(jax.devices()[:2], ("data",))
        placed = jax.device_put(arrays, NamedSharding(mesh, PartitionSpec("data")))
        got = jax.device_get(jax.block_until_ready(jax.jit(lambda x: call(row, x))(placed)))
        chex.assert_trees_all_close(got, jax.device_get(want), **CLOSE)


def vmap_over_each_float_argument_equals_the_loop(row):
    for name, values in row.hyper.items():
        chex.clear_trace_counter()
        one = chex.assert_max_traces(lambda value, n=name: call(row, **{n: value}), n=1)
        got = jax.device_get(jax.jit(jax.vmap(one))(np.float32(values)))
        for index, value in enumerate(values):
            want = call(row, **{name: value})
            part = jax.tree.map(lambda leaf, i=index: leaf[i], got)
            chex.assert_trees_all_close(part, want, **CLOSE)


def gradients_are_finite_at_both_ends(row):
    @jax.jit
    def gradients(arrays, hyper):
        def total(arrays, hyper):
            return sum(jnp.sum(jnp.sin(y)) for y in leaves(call(row, arrays, **hyper)))

        return jax.grad(total, (0, 1))(arrays, hyper)

    first = first_values(row)
    ends = [{**first, n: end} for n, pair in row.ends.items() for end in pair if end is not None]
    for hyper in [first, *ends]:
        chex.assert_tree_all_finite(gradients(arrays_of(row), hyper))


def dtypes_stay_under_strict_promotion(row):
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        with jax.numpy_dtype_promotion("strict"):
            y = jax.eval_shape(lambda arrays: call(row, arrays), arrays_of(row, dtype))
        assert all(leaf.dtype == dtype for leaf in leaves(y)), dtype


def narrow_numbers_are_computed_in_single_precision(row):
    """The result is the float32 one, rounded once."""
    arrays = arrays_of(row, jnp.bfloat16)
    got = call(row, arrays)
    want = call(row, [array.astype(jnp.float32) for array in arrays])
    want = jax.tree.map(lambda leaf: np.asarray(leaf).astype(jnp.bfloat16), want)
    chex.assert_trees_all_equal(got, want)


def bad_arguments_are_named(row):
    with untyped():
        for name in row.hyper:
            low, high = row.ends[name]
            beyond = [low - 0.5, *([] if high is None else [high + 0.5])]
            for bad in (float("nan"), float("inf"), -float("inf"), *beyond):
                with pytest.raises(ValueError, match=f"{name} .*got {bad}"):
                    call(row, **{name: bad})
            with pytest.raises(TypeError, match=f"{name} .*got '0.1'"):
                call(row, **{name: "0.1"})
        for name, bad in row.bad.items():
            with pytest.raises((TypeError, ValueError), match=f"{name} .*got {bad!r}"):
                call(row, **{name: bad})
        for dtype in (jnp.int32, jnp.uint8):
            if row.whole_numbers:
                assert call(row, arrays_of(row, dtype)).dtype == jnp.float32
                continue
            with pytest.raises(TypeError, match="floating"):
                call(row, arrays_of(row, dtype))
        for key in (0, jax.random.PRNGKey(0), np.zeros(2, np.uint32)) if row.key else ():
            with pytest.raises(TypeError, match="key must be a typed key"):
                call(row, key=key)


def masks_differ_by_key_and_example(row):
    y = np.asarray(call(row))
    chex.assert_trees_all_equal(y, call(row))
    assert np.any(y != call(row, key=jax.random.key(1)))
    assert np.any(y[0] != y[1])


def its_signature_and_docstring_are_complete(row):
    parameters = inspect.signature(row.function).parameters
    names = [*(("key",) if row.key else ()), *row.arrays]
    assert list(parameters)[: len(names)] == names
    assert set(parameters) == {*names, *row.hyper, *row.static}
    assert ">>>" in (inspect.getdoc(row.function) or "")
