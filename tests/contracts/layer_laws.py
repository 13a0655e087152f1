"""What every layer must obey, as functions of its row in the table `LAYERS`."""

import dataclasses
import functools
import inspect
from collections.abc import Callable

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tests.cases.build import build, first_values
from tests.cases.layers import example
from tests.untyped import untyped

KEY, OTHER = jax.random.key(0), jax.random.key(1)
CLOSE = {"rtol": 2e-5, "atol": 1e-5}


def takes_train(row):
    return "train" in inspect.signature(row.make.__call__).parameters


def call(layer, variables, x, *, train, key=KEY):
    """The output and the new statistics, in the mode `train`, or without one where it is None."""
    mode = {} if train is None else {"train": train}
    rngs = {} if key is None else {"dropout": key}
    return layer.apply(variables, x, **mode, rngs=rngs, mutable=["batch_stats"])


compiled = jax.jit(call, static_argnames=("layer", "train"))


@functools.partial(jax.jit, static_argnames=("layer", "train"))
def initial(layer, x, train):
    mode = {} if train is None else {"train": train}
    return layer.init({"params": KEY}, x, **mode)


def setting(row, **changes):
    """The layer, its variables, an input, and the mode of training and of evaluation."""
    layer, x = build(row, **changes), example(row.shape)
    modes = (True, False) if takes_train(row) else (None, None)
    return layer, initial(layer, x, modes[1]), x, *modes


def train_is_keyword_only_without_default(row):
    parameter = inspect.signature(row.make.__call__).parameters.get("train")
    assert parameter is not None or not (row.draws or row.normalizes)
    if parameter is not None:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is parameter.empty


def evaluation_draws_nothing_and_changes_nothing(row):
    layer, variables, x, _, evaluation = setting(row)
    assert set(variables) <= ({"params", "batch_stats"} if row.normalizes else {"params"})
    want, after = compiled(layer, variables, x, train=evaluation, key=None)
    before = variables.get("batch_stats", {})
    chex.assert_trees_all_equal(after.get("batch_stats", before), before, custom_message="moved")
    for key in (KEY, OTHER):
        got, _ = compiled(layer, variables, x, train=evaluation, key=key)
        chex.assert_trees_all_equal(got, want)


def training_draws_from_its_own_stream_only(row):
    layer, variables, x, train, _ = setting(row)
    mode = {} if train is None else {"train": train}
    if row.draws:
        with pytest.raises(ValueError, match="needs a key"):
            without = {"rngs": {"params": KEY}, "mutable": ["batch_stats"]}
            jax.eval_shape(lambda: layer.apply(variables, x, **mode, **without))
        with pytest.raises(ValueError, match="needs a key"):
            jax.eval_shape(lambda: layer.init({"params": KEY}, x, **mode))
    else:
        jax.eval_shape(lambda: call(layer, variables, x, train=train, key=None))
    keys = {"params": KEY, "dropout": OTHER}
    chex.assert_trees_all_equal(jax.jit(lambda x: layer.init(keys, x, **mode))(x), variables)


def masks_differ_by_example_step_call_and_layer(row):
    layer, variables, x, train, _ = setting(row)
    x, y, other, again = jax.device_get(
        (x, *(compiled(layer, variables, x, train=train, key=key)[0] for key in (KEY, OTHER, KEY)))
    )
    chex.assert_trees_all_equal(x[0], x[1])
    differ = bool(np.any(y[0] != y[1]))
    assert differ != row.shares_masks, (
        f"equal examples have {'two masks' if differ else 'one mask'}"
    )
    assert np.any(y != other), "two keys draw one mask"
    chex.assert_trees_all_equal(y, again)
    twice = {kind: {"a": tree, "b": tree} for kind, tree in variables.items()}
    both = Twice(functools.partial(build, row))
    outputs, _ = jax.device_get(jax.jit(lambda x: call(both, twice, x, train=train))(x))
    assert np.any(outputs[0] != outputs[1]), "two calls of a layer draw one mask"
    assert np.any(outputs[0] != outputs[2]), "two layers draw one mask"


def old_style_keys_draw_the_masks_of_typed_ones(row):
    layer, variables, x, train, _ = setting(row)
    want = compiled(layer, variables, x, train=train)
    got = compiled(layer, variables, x, train=train, key=jax.random.PRNGKey(0))
    chex.assert_trees_all_equal(got, want)


class Twice(nn.Module):
    """Two calls of one layer, and one of another."""

    make: Callable[[], nn.Module]

    def setup(self):
        self.a, self.b = self.make(), self.make()

    def __call__(self, x, *, train):
        return self.a(x, train=train), self.a(x, train=train), self.b(x, train=train)


def a_sharded_batch_gives_the_numbers_of_one_device(row):
    layer, variables, x, train, _ = setting(row)
    sharding = NamedSharding(Mesh(jax.devices()[:2], ("data",)), PartitionSpec("data"))
    got = compiled(layer, variables, jax.device_put(x, sharding), train=train)
    got = jax.device_get(jax.block_until_ready(got))
    want = jax.device_get(compiled(layer, variables, x, train=train))
    chex.assert_trees_all_close(got, want, **CLOSE)
    chex.assert_trees_all_equal(got[0] == 0, want[0] == 0)


def vmap_over_each_float_field_equals_the_loop(row):
    _, variables, x, train, _ = setting(row)
    first = first_values(row)
    rows = [first, *({**first, name: values[1]} for name, values in row.hyper.items())]

    @jax.jit
    @jax.vmap
    @chex.assert_max_traces(n=1)
    def sweep(hyper):
        return call(build(row, **hyper), variables, x, train=train)

    got = jax.device_get(sweep({name: jnp.array([row[name] for row in rows]) for name in first}))
    for index, values in enumerate(rows):
        want = jax.device_get(compiled(build(row, **values), variables, x, train=train))
        one = jax.tree.map(lambda leaf, i=index: leaf[i], got)
        chex.assert_trees_all_close(one, want, **CLOSE, custom_message=str(values))
        if values != first:
            changed = jax.tree.map(lambda leaf, i=index: np.any(leaf[i] != leaf[0]), got)
            assert any(jax.tree.leaves(changed)), f"{values} make no difference"


def gradients_are_finite_at_both_ends(row):
    _, variables, x, train, _ = setting(row)

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1, 2))
    def gradients(hyper, params, x):
        given = {**variables, "params": params}
        y, state = call(build(row, **hyper), given, x, train=train)
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves((y, state)))

    first, params = first_values(row), variables.get("params", {})
    ends = [{**first, n: end} for n, pair in row.ends.items() for end in pair if end is not None]
    for hyper in [first, *ends]:
        chex.assert_tree_all_finite(gradients(hyper, params, x))


def it_computes_in_its_dtype_with_single_precision_variables(row):
    """Under strict promotion. A layer that is told its dtype gets an input of another one.

    Told none, a layer that holds a `flax.linen.Dense` turns narrow inputs into float32, as that
    does, and only under standard promotion: Flax's own limit, of which nothing is asked here.
    """
    modes = (True, False) if takes_train(row) else (None,)
    others = {jnp.float32: jnp.bfloat16, jnp.bfloat16: jnp.float32, jnp.float16: jnp.float32}
    for dtype, other in others.items():
        layer = build(row, **(row.in_dtype(dtype) if row.in_dtype else {}))
        x = jax.ShapeDtypeStruct(row.shape, other if row.in_dtype else dtype)
        with jax.numpy_dtype_promotion("strict"):
            variables = jax.eval_shape(functools.partial(initial, layer, train=modes[-1]), x)
            for train in modes:
                run = functools.partial(call, layer, train=train)
                y, state = jax.eval_shape(run, variables, x)
                assert y.dtype == dtype
                leaves = jax.tree.leaves((variables, state))
                assert all(leaf.dtype == jnp.float32 for leaf in leaves)


def bad_fields_and_inputs_are_named(row):
    with untyped():
        for name, values in row.hyper.items():
            low, high = row.ends.get(name, (0.0, 1.0))
            beyond = [low - 0.5, *([] if high is None else [high + 0.5])]
            for bad in (float("nan"), float("inf"), -float("inf"), *beyond):
                with pytest.raises(ValueError, match=f"{name} .*got {bad}"):
                    build(row, **{name: bad})
            with pytest.raises(TypeError, match=f"{name} .*got '0.1'"):
                build(row, **{name: "0.1"})
            build(row, **{name: np.float32(values[0])})
        for name, value in row.static.items():
            if isinstance(value, bool):
                for bad in ("False", 1, None):
                    with pytest.raises(TypeError, match=f"{name} must be a bool, got {bad!r}"):
                        build(row, **{name: bad})
        for name, bad in row.bad.items():
            with pytest.raises((TypeError, ValueError), match=name):
                build(row, **{name: bad})
        layer, variables, x, *modes = setting(row)
        if takes_train(row):
            for bad in ("False", 1, None):
                with pytest.raises(TypeError, match=f"train must be a bool, got {bad!r}"):
                    layer.apply(variables, x, train=bad, rngs={"dropout": KEY}, mutable=True)
        for dtype in () if row.any_input else (jnp.int32, jnp.uint8, bool):
            for train in modes:
                with pytest.raises(TypeError, match="floating"):
                    call(layer, variables, x.astype(dtype), train=train)


def its_docstring_names_every_field_and_has_an_example(row):
    text = inspect.getdoc(row.make) or ""
    assert ">>>" in text
    for field in dataclasses.fields(row.make):
        if field.name not in ("parent", "name"):
            assert f"\n    {field.name}: " in text.split("Attributes:")[1], field.name
