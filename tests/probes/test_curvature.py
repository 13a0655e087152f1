"""Curvature against the whole Hessian of a small network."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxtricks import models, probes
from tests.untyped import untyped

KEY = jax.random.key(0)
NET = models.MLP((4, 3), activation=jnp.tanh)
X = jax.random.normal(jax.random.key(1), (20, 5))


def params_of(net, x):
    return jax.jit(functools.partial(net.init, train=False))(KEY, x)["params"]


PARAMS = params_of(NET, X)


def loss(params):
    logits = NET.apply({"params": params}, X, train=False)
    return -jnp.mean(jax.nn.log_softmax(logits)[:, 0]) + jnp.mean(logits**3)


@pytest.fixture(scope="module")
def hessian():
    flat, unravel = ravel_pytree(PARAMS)
    return np.asarray(jax.jit(jax.hessian(lambda x: loss(unravel(x))))(flat), np.float64)


@pytest.mark.slow
def test_all_steps_give_all_eigenvalues(hessian):
    size = len(hessian)
    got = jax.jit(lambda key: probes.hessian_eigenvalues(key, loss, PARAMS, steps=size))(KEY)
    want = np.linalg.eigvalsh(hessian)
    np.testing.assert_allclose(got, want, atol=2e-4 * np.abs(want).max())


@pytest.mark.slow
def test_a_few_steps_find_the_ends_from_within(hessian):
    want = np.linalg.eigvalsh(hessian)
    keys = jax.random.split(KEY, 5)
    few = jax.vmap(lambda key: probes.hessian_eigenvalues(key, loss, PARAMS, steps=12))
    got = np.asarray(jax.jit(few)(keys))
    tolerance = 0.02 * np.abs(want).max()
    np.testing.assert_allclose(got[:, -1], want[-1], atol=tolerance)
    np.testing.assert_allclose(got[:, 0], want[0], atol=tolerance)
    assert np.all(got[:, -1] <= want[-1] + 1e-4) and np.all(got[:, 0] >= want[0] - 1e-4)


X_FEW = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
SPECTRA = {
    "equal": np.ones(12),
    "all zero": np.zeros(12),
    "few": np.array([5.0, 3.0, -1.0] + [0.0] * 97),
    "tiny": np.arange(1, 13) * 1e-25,
    "huge": np.arange(1, 13) * 1e25,
    "close": 1 + 1e-6 * np.arange(12),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECTRA)
def test_where_directions_run_out_no_eigenvalue_is_invented(name):
    """Repeated eigenvalues, fewer of them than steps, and any scale."""
    scales = SPECTRA[name]
    steps, largest = min(len(scales), 30), np.abs(scales).max()

    def loss(x):
        return jnp.sum(x * (jnp.asarray(scales, jnp.float32) * x)) / 2

    find = jax.jit(
        jax.vmap(
            lambda key: probes.hessian_eigenvalues(key, loss, jnp.ones(len(scales)), steps=steps)
        )
    )
    got = np.float64(find(jax.random.split(KEY, 20)))
    np.testing.assert_allclose(got[:, -1], scales.max(), atol=1e-5 * largest)
    np.testing.assert_allclose(got[:, 0], scales.min(), atol=1e-5 * largest)
    if steps == len(scales):
        np.testing.assert_allclose(got, [np.sort(scales)] * 20, atol=1e-5 * largest)


@pytest.mark.slow
def test_few_examples_leave_most_of_the_space_flat():
    """Regression on 5 rows of 40 inputs: 5 eigenvalues that are not 0."""

    def loss(w):
        return jnp.sum((X_FEW @ w - 1) ** 2) / 2

    key = jax.random.key(3)
    got = jax.jit(lambda w: probes.hessian_eigenvalues(key, loss, w, steps=30))(jnp.zeros(40))
    want = np.linalg.eigvalsh(X_FEW.astype(np.float64).T @ X_FEW)
    np.testing.assert_allclose(got[-5:], want[-5:], rtol=1e-4)
    np.testing.assert_allclose(got[:-5], 0, atol=1e-4 * want[-1])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_parameters_have_wide_eigenvalues(dtype):
    def loss(x):
        return jnp.sum(jnp.arange(1.0, 5.0, dtype=x.dtype) * x**2)

    got = probes.hessian_eigenvalues(KEY, loss, jnp.ones(4, dtype), steps=4)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, [2, 4, 6, 8], rtol=0.02)
    trace, error = probes.hessian_trace(KEY, loss, jnp.ones(4, dtype), draws=2)
    assert trace.dtype == error.dtype == jnp.float32
    np.testing.assert_allclose([trace, error], [20, 0], rtol=0.02, atol=0.2)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_direction_has_the_norm_of_weights_of_any_scale(scale):
    params = jnp.full((3, 2), scale)
    got = np.float64(jax.jit(probes.filter_normalized)(KEY, params))
    np.testing.assert_allclose(np.sqrt((got**2).sum(0)), 3**0.5 * scale, rtol=1e-5)


@pytest.mark.slow
def test_long_filters_in_half_precision_keep_their_length():
    """The sum of 100,000 squares is infinite in float16."""
    direction = probes.filter_normalized(KEY, {"kernel": jnp.ones((100_000, 2), jnp.float16)})
    assert direction["kernel"].dtype == jnp.float16
    lengths = np.linalg.norm(np.float64(direction["kernel"]), axis=0)
    np.testing.assert_allclose(lengths, 100_000**0.5, rtol=1e-3)


@pytest.mark.slow
def test_the_trace_is_within_its_standard_error(hessian):
    mean, error = jax.jit(lambda key: probes.hessian_trace(key, loss, PARAMS, draws=400))(KEY)
    assert abs(float(mean) - np.trace(hessian)) < 4 * float(error)
    off_diagonal = hessian - np.diag(np.diag(hessian))
    np.testing.assert_allclose(error, np.sqrt(2 * (off_diagonal**2).sum() / 400), rtol=0.2)


@pytest.mark.slow
def test_a_direction_has_the_norms_of_the_filters_and_no_biases():
    net = models.SmallCNN((3,), hidden=4, classes=2)
    params = params_of(net, jnp.ones((1, 4, 4, 2)))
    draw = jax.jit(probes.filter_normalized)
    directions = jax.device_get([draw(jax.random.key(i), params) for i in range(2)])
    for name, layer in jax.device_get(params).items():
        for kind, leaf in layer.items():
            got = directions[0][name][kind]
            if leaf.ndim < 2:
                assert not got.any()
                continue
            axes = tuple(range(leaf.ndim - 1))
            norms = [np.sqrt(np.sum(x**2, axes)) for x in (leaf, got)]
            np.testing.assert_allclose(norms[0], norms[1], rtol=1e-5)
            assert not np.allclose(got, directions[1][name][kind])


@pytest.mark.slow
def test_rescaled_layers_have_the_same_slice():
    """What the normalisation is for: a ReLU network with one layer tripled and the next divided."""
    net = models.MLP((6, 3))
    params = params_of(net, X)
    other = {
        "Dense_0": {**params["Dense_0"], "kernel": 3 * params["Dense_0"]["kernel"]},
        "Dense_1": {**params["Dense_1"], "kernel": params["Dense_1"]["kernel"] / 3},
    }

    @jax.jit
    def slice_at(params):
        def loss(params):
            return jnp.mean(net.apply({"params": params}, X, train=False) ** 2)

        first, second = (probes.filter_normalized(jax.random.key(i), params) for i in (1, 2))
        return probes.loss_slice(loss, params, first, second, jnp.linspace(-1, 1, 5))

    chex.assert_trees_all_close(slice_at(params), slice_at(other), rtol=1e-4)


def test_a_slice_has_the_first_direction_in_its_rows():
    def bowl(x):
        return x[0] ** 2 + 10 * x[1] ** 2 + x[2] ** 2

    eye, steps = jnp.eye(3), jnp.array([-1.0, 0.0, 2.0])
    got = jax.jit(lambda x: probes.loss_slice(bowl, x, eye[0], eye[1], steps))(jnp.ones(3))
    want = [[(1 + a) ** 2 + 10 * (1 + b) ** 2 + 1 for b in (-1, 0, 2)] for a in (-1, 0, 2)]
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.slow
def test_bad_input_is_named():
    with untyped():
        with pytest.raises(ValueError, match="steps must be at most the 2 parameters, got 3"):
            probes.hessian_eigenvalues(KEY, jnp.sum, jnp.ones(2), steps=3)
        with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
            probes.hessian_eigenvalues(KEY, jnp.sum, jnp.ones(2), steps=0)
        with pytest.raises(ValueError, match="draws must be at least 2, got 1"):
            probes.hessian_trace(KEY, jnp.sum, jnp.ones(2), draws=1)
        with pytest.raises(TypeError, match="key must be a typed key"):
            probes.filter_normalized(0, PARAMS)
        with pytest.raises(ValueError, match="second must have the structure of params"):
            probes.loss_slice(jnp.sum, jnp.ones(2), jnp.ones(2), [jnp.ones(2)], jnp.ones(3))
        with pytest.raises(TypeError, match=r"steps must be a floating array, got \[0.0, 1.0\]"):
            probes.loss_slice(jnp.sum, jnp.ones(2), jnp.ones(2), jnp.ones(2), [0.0, 1.0])
        with pytest.raises(ValueError, match=r"steps must have one axis, got the shape \(\)"):
            probes.loss_slice(jnp.sum, jnp.ones(2), jnp.ones(2), jnp.ones(2), jnp.ones(()))
        for probe in (probes.hessian_eigenvalues, probes.hessian_trace):
            steps = {"steps": 2} if probe is probes.hessian_eigenvalues else {"draws": 2}
            for bad in (jnp.ones(2, int), jnp.ones(2, complex)):
                with pytest.raises(TypeError, match=f"params.*(got|is) {bad.dtype}"):
                    probe(KEY, jnp.sum, {"w": bad}, **steps)
            with pytest.raises(TypeError, match="loss must return a scalar, got"):
                probe(KEY, jnp.tanh, jnp.ones(2), **steps)
        with pytest.raises(TypeError, match=r"loss must return a scalar, got \("):
            probes.loss_slice(lambda x: (x, x), jnp.ones(2), jnp.ones(2), jnp.ones(2), jnp.ones(3))


@pytest.mark.slow
def test_curvature_compiles_and_maps_over_seeds():
    """One network per seed: every probe of it is one program."""
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 3)), jnp.float32)
    net = models.MLP((4, 2), activation=jnp.tanh)
    steps = jnp.linspace(-1, 1, 3)

    def look(key):
        params = net.init(key, x, train=False)["params"]

        def loss(params):
            return jnp.mean(net.apply({"params": params}, x, train=False) ** 2)

        keys = jax.random.split(key, 4)
        first, second = (probes.filter_normalized(key, params) for key in keys[:2])
        ends = probes.hessian_eigenvalues(keys[2], loss, params, steps=5)
        trace, _ = probes.hessian_trace(keys[3], loss, params, draws=4)
        dead = probes.dead_units(net, {"params": params}, x, 4, train=False)
        return ends, trace, probes.loss_slice(loss, params, first, second, steps), dead

    keys = jax.random.split(KEY, 3)
    together, alone = jax.jit(jax.vmap(look))(keys), jax.jit(look)
    for i, key in enumerate(keys):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        chex.assert_trees_all_close(one, alone(key), rtol=1e-4, atol=1e-5)
