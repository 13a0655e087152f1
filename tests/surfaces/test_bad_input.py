"""Bad input: an error that names the argument and the value received, without the type checker."""

import re

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest

from jaxtricks import surfaces
from jaxtricks.optimizers import gradient_descent

KEY, LEGACY = jax.random.key(0), jax.random.key_data(jax.random.key(0))
TX, BANANA = gradient_descent(0.01), surfaces.banana()
NOISY = surfaces.with_gradient_noise(BANANA, 1.0)
X, Y = np.ones((4, 2), np.float32), np.ones(4, np.float32)


@pytest.fixture(autouse=True)
def _without_type_checker(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


RUNS = {
    "trajectory": lambda tx, surface: surfaces.trajectory(tx, surface, jnp.ones(2), 3),
    "descend": lambda tx, surface: surfaces.descend(
        tx, surface, jnp.ones(2), tolerance=0.1, max_steps=3
    ),
    "with key": lambda tx, surface: surfaces.trajectory(tx, surface, jnp.ones(2), 3, key=KEY),
}


@pytest.mark.parametrize("tx", [None, 0.1, gradient_descent])
@pytest.mark.parametrize("run", RUNS)
def test_bad_rule(run, tx):
    with pytest.raises(
        TypeError, match=re.escape(f"tx must be a GradientTransformation, got {tx}")
    ):
        RUNS[run](tx, BANANA)


@pytest.mark.parametrize(
    "surface, message",
    [
        (3, "must be a function, got 3"),
        (surfaces.banana, "must be a function of (x), got <function banana"),
        (surfaces.saddle, "which takes (angle, offset)"),
        (surfaces.quadratic, "must return a floating scalar, got Surface(loss="),
        (NOISY, "which takes (key, x)"),
        (lambda x: x, "must return a floating scalar, got ShapedArray(float32[2])"),
        (lambda x: jnp.sum(x, keepdims=True), "got ShapedArray(float32[1])"),
        (lambda x: jnp.sum(x) * 1j, "got ShapedArray(complex64[])"),
        (lambda x: 1, "must return a floating scalar, got 1"),
        (lambda x: None, "must return a floating scalar, got None"),
    ],
)
@pytest.mark.parametrize("run", ["trajectory", "descend"])
def test_bad_surface(run, surface, message):
    with pytest.raises(TypeError, match="surface .*" + re.escape(message)):
        RUNS[run](TX, surface)


@pytest.mark.parametrize(
    "surface, message",
    [
        (BANANA, "must be a function of (key, x), got Surface("),
        (lambda key, x: x, "must return a floating scalar, got ShapedArray(float32[2])"),
    ],
)
def test_bad_surface_with_a_key(surface, message):
    with pytest.raises(TypeError, match="surface " + re.escape(message)):
        RUNS["with key"](TX, surface)


@pytest.mark.slow
@pytest.mark.parametrize("surface", [jnp.sum, jax.jit(jnp.sum), lambda x, scale=1.0: 2.0])
def test_what_can_be_followed_passes(surface):
    path = surfaces.trajectory(optax.sgd(0.1), surface, jnp.ones(2), 1)
    assert path.losses[0] == 2.0


TAKES_A_KEY = {
    "trajectory": lambda key: surfaces.trajectory(TX, NOISY, jnp.ones(2), 3, key=key),
    "with_gradient_noise": lambda key: NOISY(key, jnp.ones(2)),
    "random_goe": lambda key: surfaces.random_goe(key, 3),
    "random_sparse_features": lambda key: surfaces.random_sparse_features(key, 3, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TAKES_A_KEY)
def test_bad_key(name):
    for key in (0, LEGACY):
        with pytest.raises(TypeError, match="key must be a typed key such as jax.random.key") as e:
            TAKES_A_KEY[name](key)
        assert f"got {key!r}" in str(e.value)
    with pytest.raises(ValueError, match=r"key must be one key, got an array .* \(2,\)"):
        TAKES_A_KEY[name](jax.random.split(KEY))
    jax.jit(jax.vmap(TAKES_A_KEY[name]))(jax.random.split(KEY))


@pytest.mark.parametrize(
    "surface, size, view, error, message",
    [
        (3, 9, None, TypeError, "surface must be a Surface, got 3"),
        (surfaces.banana, 9, None, TypeError, "surface must be a Surface, got <function banana"),
        (BANANA, 1, None, ValueError, "size must be at least 2, got 1"),
        (BANANA, 2.0, None, TypeError, "size must be an integer, got 2.0"),
        (BANANA, 9, 4, TypeError, "view must be a pair, got 4"),
        (BANANA, 9, (0, 1, 2, 3), TypeError, "view must be a pair, got (0, 1, 2, 3)"),
        (BANANA, 9, ((0, 1), 2), TypeError, "view[1] must be a pair, got 2"),
        (BANANA, 9, ((0, "a"), (0, 1)), TypeError, "view[0][1] must be a real scalar, got 'a'"),
        (BANANA, 9, ((0, 1), (1, 0)), ValueError, "view[1][1] must be in (1, inf), got 0"),
        (BANANA, 9, ((0, 0), (0, 1)), ValueError, "view[0][1] must be in (0, inf), got 0"),
    ],
)
def test_bad_grid(surface, size, view, error, message):
    with pytest.raises(error, match=re.escape(message)):
        surfaces.grid(surface, size=size, view=view)


REGRESSIONS = {"targets": surfaces.least_squares, "labels": surfaces.logistic_regression}


@pytest.mark.parametrize(
    "inputs, outputs, weights, error, message",
    [
        (X, Y[:3], None, ValueError, "{} must have one number for each row .* got the shape (3,)"),
        (X, X, None, ValueError, "{} must have one number for each row .* got the shape (4, 2)"),
        (X, "a", None, TypeError, "{} must be an array of real numbers, got 'a'"),
        (X, None, None, TypeError, "{} must be an array of real numbers, got None"),
        (Y, Y, None, ValueError, "inputs must be a matrix and not empty, got the shape (4,)"),
        (
            X[:0],
            Y[:0],
            None,
            ValueError,
            "inputs must be a matrix and not empty, got the shape (0, 2)",
        ),
        (None, Y, None, TypeError, "inputs must be an array of real numbers, got None"),
        (X * 1j, Y, None, TypeError, "inputs must be an array of real numbers, got array([[0.+1.j"),
        (
            X,
            Y,
            Y[:3],
            ValueError,
            "weights must have one number for each row .* got the shape (3,)",
        ),
        (X, Y, -Y, ValueError, "weights must be at least 0 and not all 0, got [-1. -1. -1. -1.]"),
        (X, Y, 0 * Y, ValueError, "weights must be at least 0 and not all 0, got [0. 0. 0. 0.]"),
        (X, Y, Y * np.nan, ValueError, "weights must be at least 0 .* got [nan nan nan nan]"),
    ],
)
@pytest.mark.parametrize("name", REGRESSIONS)
def test_bad_regression(name, inputs, outputs, weights, error, message):
    pattern = re.escape(message.format(name)).replace(r"\.\*", ".*")
    with pytest.raises(error, match=pattern):
        REGRESSIONS[name](inputs, outputs, weights=weights)


@pytest.mark.parametrize("value", [-0.5, 1.5, np.nan])
def test_labels_out_of_range(value):
    with pytest.raises(ValueError, match=rf"labels must be in \[0, 1\], got \[{value}"):
        surfaces.logistic_regression(X, np.full(4, value))


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRESSIONS)
def test_integers_are_fitted_in_floats(name):
    whole = REGRESSIONS[name](jnp.array([[1, 2], [0, 3]]), jnp.array([1, 0]), weights=jnp.arange(2))
    same = REGRESSIONS[name](
        jnp.array([[1.0, 2.0], [0.0, 3.0]]), jnp.array([1.0, 0.0]), weights=jnp.arange(2.0)
    )
    assert whole.start.dtype == jnp.float32
    at = jnp.array([0.5, -1.0])
    assert jax.value_and_grad(whole)(at)[0] == same(at) != 0
    assert np.array_equal(jax.grad(whole)(at), jax.grad(same)(at))


def test_half_is_a_bool():
    with pytest.raises(TypeError, match="half must be a bool, got 3"):
        surfaces.least_squares(X, Y, half=3)


@pytest.mark.slow
def test_weights_may_be_traced():
    """All-zero weights of a wholly padded batch are data: nothing to refuse, the mean is 0/0."""
    losses = jax.vmap(lambda w: surfaces.least_squares(X, Y, weights=w)(jnp.zeros(2)))
    assert np.array_equal(losses(jnp.stack([Y, 0 * Y])), [0.5, np.nan], equal_nan=True)


@pytest.mark.parametrize("curvatures", [None, "a", (), 3.0, {1.0, 2.0}, np.ones((2, 2))])
def test_no_list_of_curvatures(curvatures):
    message = f"curvatures must be a list of one or more numbers, got {curvatures!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        surfaces.quadratic(curvatures)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: surfaces.quadratic((1, None)), "curvatures[1] must be a real scalar, got None"),
        (lambda: surfaces.quadratic((1, 2), angle="a"), "angle must be a real scalar, got 'a'"),
        (lambda: surfaces.double_well(None), "tilt must be a real scalar, got None"),
        (lambda: surfaces.two_valleys(floor="a"), "floor must be a real scalar, got 'a'"),
        (lambda: surfaces.saddle(offset="a"), "offset must be a real scalar, got 'a'"),
        (lambda: surfaces.with_gradient_noise(3, 1.0), "surface must be a function, got 3"),
        *(
            (
                lambda bad=bad: surfaces.with_gradient_noise(BANANA, bad),
                f"covariance must be an array of real numbers, got {bad!r}",
            )
            for bad in (None, "one", 1j, [[1.0], [2.0, 3.0]])
        ),
    ],
)
def test_bad_factory(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("covariance", [[1.0, 2.0, 3.0], np.eye(3)])
def test_covariance_of_another_length(covariance):
    noisy = surfaces.with_gradient_noise(BANANA, covariance)
    with pytest.raises(
        ValueError, match=r"x must have the length of covariance, 3, got the shape \(2,\)"
    ):
        noisy(KEY, jnp.ones(2))
