"""DropConnect: which weights are dropped for whom, and Flax's layers where none is."""

import itertools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import (
    DropConnectConv,
    DropConnectDense,
    drop_connect,
    drop_connect_conv,
    drop_connect_moments,
    mean_activation,
)
from jaxtricks.regularizers._dropped_product import _each_example
from tests.regularizers.test_dropout import count_compilations
from tests.untyped import untyped

KEY, OTHER = jax.random.key(0), jax.random.key(1)
X = jax.random.normal(KEY, (2, 6))
KERNEL = jax.random.normal(OTHER, (6, 3))
IMAGES = jax.random.normal(KEY, (3, 5, 4, 2))
CONV_KERNEL = jax.random.normal(OTHER, (3, 2, 2, 3))
RNGS = {"dropout": KEY}


def keep(rate):
    """The probability of staying, as it is drawn."""
    return np.round((1 - np.float64(rate)) * 2**16) / 2**16


def layers(per_example):
    return (
        (DropConnectDense(3, 0.4, per_example), X),
        (DropConnectConv(3, (3, 2), 0.4, per_example, (2, 1)), IMAGES),
    )


def by_hand(x, kernel, strides=(2, 1)):
    """A dense layer or a convolution as loops; `kernel` has one entry for each example."""
    if x.ndim == 2:
        return np.stack([one @ weights for one, weights in zip(x, kernel, strict=True)])
    rows, columns = -(-x.shape[1] // strides[0]), -(-x.shape[2] // strides[1])
    down, right = kernel.shape[1:3]
    out = np.zeros((len(x), rows, columns, kernel.shape[-1]))
    top = max((rows - 1) * strides[0] + down - x.shape[1], 0) // 2
    left = max((columns - 1) * strides[1] + right - x.shape[2], 0) // 2
    for n, i, j, a, b in itertools.product(*map(range, (len(x), rows, columns, down, right))):
        row, column = i * strides[0] + a - top, j * strides[1] + b - left
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            out[n, i, j] += x[n, row, column] @ kernel[n, a, b]
    return out


@pytest.mark.slow
@pytest.mark.parametrize("per_example", [False, True])
def test_outputs_are_those_of_the_sown_masks_and_gradients_of_dropped_weights_are_zero(per_example):
    for layer, x in layers(per_example):
        params = layer.init(KEY, x, train=False)["params"]
        params = {**params, "bias": jnp.arange(3.0)}

        @jax.jit
        def run(params, x, layer=layer):
            def total(params):
                given = {"params": params}
                y, sown = layer.apply(given, x, train=True, rngs=RNGS, mutable=["masks"])
                return jnp.sum(y**2) / 2, (y, sown["masks"]["keep"][0])

            return jax.grad(total, has_aux=True)(params)

        gradient, (y, mask) = jax.device_get(run(params, x))
        kernel = np.asarray(params["kernel"], np.float64)
        assert mask.dtype == bool
        assert mask.shape == (len(x) if per_example else 1, *kernel.shape)
        masks = np.broadcast_to(mask, (len(x), *kernel.shape))
        dropped = by_hand(np.asarray(x, np.float64), masks * kernel / keep(0.4))
        np.testing.assert_allclose(y, dropped + np.arange(3.0), rtol=1e-4, atol=1e-5)
        assert not np.any(gradient["kernel"][~masks.any(0)])
        assert np.all(gradient["kernel"][masks.any(0)] != 0)
        np.testing.assert_allclose(gradient["bias"], y.sum(tuple(range(y.ndim - 1))), rtol=1e-4)


@pytest.mark.slow
def test_a_gradient_with_a_mask_per_example_sums_over_those_that_kept_the_weight():
    def loss(kernel):
        return jnp.sum(drop_connect(KEY, X, kernel, 0.4, per_example=True) * X[:, :3])

    layer = DropConnectDense(3, 0.4, per_example=True, use_bias=False)
    run = jax.jit(lambda k: drop_connect(KEY, jnp.ones((2, 6)), k, 0.4, per_example=True))
    unit = lambda i, j: jnp.zeros((6, 3)).at[i, j].set(1.0)  # noqa: E731
    probes = jnp.stack([unit(i, j) for i in range(6) for j in range(3)])
    masks = np.asarray(jax.vmap(run)(probes)).sum(-1).T.reshape(2, 6, 3)  # divided by keep
    want = np.einsum("bi,bj,bij->ij", X, X[:, :3], masks)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(KERNEL), want, rtol=1e-5, atol=1e-6)
    assert layer.init(KEY, X, train=False)["params"].keys() == {"kernel"}


@pytest.mark.slow
def test_positions_share_the_mask_of_their_example():
    x = jnp.ones((4, 3, 6))
    shared, own = (
        np.asarray(drop_connect(KEY, x, KERNEL, 0.5, per_example=own)) for own in (False, True)
    )
    chex.assert_trees_all_close(shared, np.broadcast_to(shared[:1, :1], shared.shape), rtol=1e-6)
    chex.assert_trees_all_close(own, np.broadcast_to(own[:, :1], own.shape), rtol=1e-6)
    assert all(np.any(own[0] != other) for other in own[1:])
    assert drop_connect(KEY, jnp.ones((0, 6)), KERNEL, 0.5, per_example=True).shape == (0, 3)
    assert drop_connect(KEY, jnp.ones(6), KERNEL, 0.5).shape == (3,)


@pytest.mark.slow
def test_at_rate_0_the_sown_mask_drops_nothing_and_evaluation_sows_none():
    for per_example in (False, True):
        for layer, x in layers(per_example):
            variables = layer.init({"params": KEY, **RNGS}, x, train=True)
            assert set(variables) == {"params"}
            _, sown = layer.apply(variables, x, train=True, rate=0.0, mutable=["masks"])
            (mask,) = sown["masks"]["keep"]
            kernel = jnp.asarray(variables["params"]["kernel"])
            assert mask.shape == (len(x) if per_example else 1, *kernel.shape) and np.all(mask)
            assert layer.apply(variables, x, train=False, mutable=["masks"])[1] == {}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["native", "patches"])
def test_at_rate_0_and_in_evaluation_it_is_flax_with_flax_s_variables(algorithm):
    pairs = (
        (DropConnectDense(3, 0.0), DropConnectDense(3, 0.7), nn.Dense(3), X),
        *(
            (
                DropConnectConv(3, (3, 2), 0.0, strides=(2, 1), algorithm=algorithm),
                DropConnectConv(
                    3, (3, 2), 0.7, per_example=True, strides=(2, 1), algorithm=algorithm
                ),
                nn.Conv(3, (3, 2), (2, 1)),
                IMAGES,
            ),
        ),
    )
    for never, often, theirs, x in pairs:
        variables = theirs.init(KEY, x)
        chex.assert_trees_all_equal(often.init(KEY, x, train=False), variables)
        params = {**variables["params"], "bias": jnp.arange(3.0)}
        want = theirs.apply({"params": params}, x)
        for got in (
            never.apply({"params": params}, x, train=True),
            often.apply({"params": params}, x, train=False),
        ):
            if algorithm == "native":
                chex.assert_trees_all_equal(got, want)
            chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_both_algorithms_draw_the_same_masks():
    for per_example in (False, True):
        native, patches = (
            drop_connect_conv(KEY, IMAGES, CONV_KERNEL, 0.5, per_example=per_example, algorithm=a)
            for a in ("native", "patches")
        )
        chex.assert_trees_all_close(native, patches, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_at_rate_1_nothing_but_the_bias_is_left_in_training():
    params = {"params": {"kernel": KERNEL, "bias": jnp.arange(3.0)}}
    layer = DropConnectDense(3, 1.0, activation=nn.relu, inference="gaussian")
    for train in (True, False):
        y = layer.apply(params, X, train=train, rngs=RNGS)
        chex.assert_trees_all_close(y, jnp.broadcast_to(jnp.arange(3.0), (2, 3)), rtol=1e-6)
    means = DropConnectDense(3, 1.0).apply(params, X, train=False)
    chex.assert_trees_all_close(means, X @ KERNEL + jnp.arange(3.0)[None], rtol=1e-5)


@pytest.mark.slow
def test_gaussian_inference_draws_from_the_stream_and_initialising_does_not():
    layer = DropConnectDense(3, activation=nn.relu, inference="gaussian")
    variables = layer.init({"params": KEY}, X, train=False)
    with pytest.raises(ValueError, match="DropConnectDense needs a .* inference='gaussian': pass"):
        layer.apply(variables, X, train=False)
    first, again, other = (
        layer.apply(variables, X, train=False, rngs={"dropout": key}) for key in (KEY, KEY, OTHER)
    )
    chex.assert_trees_all_equal(first, again)
    assert jnp.any(first != other)
    never = layer.apply(variables, X, train=False, rate=0.0)
    chex.assert_trees_all_close(never, nn.relu(nn.Dense(3).apply(variables, X)), rtol=1e-6)
    narrow = layer.clone(dtype=jnp.bfloat16).apply(variables, X, train=False, rngs=RNGS)
    chex.assert_trees_all_equal(narrow, jnp.asarray(first, jnp.bfloat16))


@pytest.mark.slow
def test_examples_one_after_the_other_and_side_by_side_agree_with_their_gradients():
    keys = jax.random.split(KEY, 2)
    drawn = jnp.float32(2), jnp.uint32(2**15)

    @jax.jit
    def both(x, kernel):
        def loss(x, kernel, loop):
            given = {"digits": 1, "product": jnp.matmul, "loop": loop, "return_mask": True}
            y, mask = _each_example(keys, x, kernel, *drawn, **given)
            return jnp.sum(y**2), mask

        return [
            jax.value_and_grad(loss, (0, 1), has_aux=True)(x, kernel, loop)
            for loop in (True, False)
        ]

    in_loop, abreast = both(X, KERNEL)
    chex.assert_trees_all_close(in_loop, abreast, rtol=1e-5)


@pytest.mark.slow
def test_memory_holds_one_mask_at_a_time_where_examples_are_looped_over():
    """The masks of all are 4 MiB, the weights that they leave 16 MiB."""
    x, kernel = jnp.ones((64, 256)), jnp.ones((256, 256))

    def loss(kernel):
        return jnp.sum(drop_connect(KEY, x, kernel, 0.5, per_example=True) ** 2)

    memory = jax.jit(jax.grad(loss)).lower(kernel).compile().memory_analysis()
    assert memory is not None and memory.temp_size_in_bytes < 2**21


@pytest.mark.slow
def test_a_repeated_eager_call_compiles_nothing():
    def both(key, strides):
        given = {"per_example": True, "strides": strides}
        drop_connect_conv(key, IMAGES, CONV_KERNEL, 0.1, **given)
        drop_connect(key, X, KERNEL, 0.1, per_example=True)

    for strides in (1, 2):
        both(KEY, strides)
        with count_compilations() as compiled_again:
            both(OTHER, strides)
        assert not compiled_again


@pytest.mark.parametrize(
    "words, call",
    [
        (r"x must be \[..., inputs\], got the shape \(\)", lambda: dense(jnp.ones(()))),
        (r"x must be \[..., inputs\], got the shape \(2, 0\)", lambda: dense(jnp.ones((2, 0)))),
        (
            r"x must be \[batch, ..., inputs\] if per_example is True, got the shape \(6,\)",
            lambda: dense(jnp.ones(6), per_example=True),
        ),
        (
            r"kernel must be \[inputs, features\] for x of .*, got the shape \(3, 6\)",
            lambda: drop_connect(KEY, X, KERNEL.T, 0.5),
        ),
        (r"kernel must be .* \(6,\)", lambda: drop_connect_moments(X, KERNEL[:, 0], 0.5)),
        (
            r"x must be \[batch, height, width, channel\], got the shape \(2, 6\)",
            lambda: drop_connect_conv(KEY, X, CONV_KERNEL, 0.5),
        ),
        (
            r"kernel must be \[down, right, channel, features\] for x of the shape \(3, 5, 4, 2\)",
            lambda: drop_connect_conv(KEY, IMAGES, CONV_KERNEL[0], 0.5),
        ),
        ("strides must be one number or two", lambda: DropConnectConv(3, strides=(1, 1, 1))),
        (
            "activation must be a function if inference is 'gaussian'",
            lambda: DropConnectDense(3, inference="gaussian"),
        ),
        (
            r"variance must have the shape of mean, \(2, 6\), got \(6, 3\)",
            lambda: mean_activation(KEY, X, KERNEL, nn.relu),
        ),
        (
            r"activation must keep the shape \(2, 6\), got \(\)",
            lambda: mean_activation(KEY, X, X, jnp.sum),
        ),
        (
            "DropConnectDense needs a key of .*'dropout' in training",
            lambda: dense(X, rngs={}),
        ),
        (r"rate must be in \[0.0, 1.0\], got 1.5", lambda: dense(X, rate=1.5)),
    ],
)
def test_what_does_not_fit_is_named(words, call):
    with untyped(), pytest.raises(ValueError, match=words):
        call()


def dense(x, *, per_example=False, rngs=RNGS, rate=None):
    layer = DropConnectDense(3, per_example=per_example)
    params = {"kernel": KERNEL, "bias": jnp.zeros(3)}
    return layer.apply({"params": params}, x, train=True, rngs=rngs, rate=rate)


def test_a_narrow_kernel_is_divided_by_the_probability_that_is_drawn():
    kernel, x = jnp.ones((4096, 1), jnp.bfloat16), jnp.ones((1, 4096))
    layer, key = DropConnectDense(1, rate=0.15, use_bias=False), {"dropout": KEY}
    options = {"train": True, "rngs": key, "mutable": ["masks"]}
    y, sown = jax.jit(lambda k: layer.apply({"params": {"kernel": k}}, x, **options))(kernel)
    keep = np.round(0.85 * 2**16) / 2**16
    np.testing.assert_allclose(y[0, 0], sown["masks"]["keep"][0].sum() / keep, rtol=1e-5)
