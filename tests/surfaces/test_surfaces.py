"""The surfaces have the critical points they are drawn for."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import surfaces

WITH_OPTIMUM = {
    "quadratic": lambda: surfaces.quadratic((1.0, 20.0)),
    "turned_quadratic": lambda: surfaces.quadratic((1.0, 20.0), angle=0.5),
    "quadratic_3d": lambda: surfaces.quadratic((0.0, 1.0, 5.0)),
    "banana": surfaces.banana,
    "beale": surfaces.beale,
    "local_minimum": surfaces.local_minimum,
    "double_well": lambda: surfaces.double_well(0.5),
    "double_well_flat": lambda: surfaces.double_well(0.0),
    "double_well_steep": lambda: surfaces.double_well(1.5),
    "two_valleys": lambda: surfaces.two_valleys(0.3, floor=0.2),
    "least_squares": lambda: surfaces.least_squares(
        jnp.array([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]]), jnp.array([1.0, 2.0, 0.5])
    ),
}
WITHOUT_OPTIMUM = {
    "saddle": lambda: surfaces.saddle(angle=0.3),
    "inflection": surfaces.inflection,
    "logistic_regression": lambda: surfaces.logistic_regression(
        jnp.array([[1.0], [2.0]]), jnp.array([0.0, 1.0])
    ),
}
EVERY = WITH_OPTIMUM | WITHOUT_OPTIMUM


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def hessian_eigenvalues(surface, x):
    hessian = jax.jit(jax.hessian(surface))(x)
    return np.linalg.eigvalsh(np.atleast_2d(np.asarray(hessian)))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_OPTIMUM)
def test_optimum_is_a_minimum_and_the_best_of_a_neighbourhood_and_the_start(name, float64):
    surface = WITH_OPTIMUM[name]()
    at_optimum, gradient = jax.jit(jax.value_and_grad(surface))(surface.optimum)
    chex.assert_trees_all_close(gradient, np.zeros_like(gradient), atol=1e-9)
    assert hessian_eigenvalues(surface, surface.optimum).min() >= -1e-9
    shape = (2000, *np.shape(surface.start))
    draws = np.asarray(2 * jax.random.normal(jax.random.key(0), shape))
    losses = jax.jit(jax.vmap(surface))(np.concatenate([surface.start[None], draws]))
    assert at_optimum < losses[0] and at_optimum <= losses.min() + 1e-12


@pytest.mark.parametrize("name", WITHOUT_OPTIMUM)
def test_no_optimum_is_claimed_where_there_is_none(name):
    assert WITHOUT_OPTIMUM[name]().optimum is None


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float64])
@pytest.mark.parametrize("name", EVERY)
def test_loss_has_the_dtype_of_the_point(name, dtype, float64):
    surface = EVERY[name]()
    point = jax.ShapeDtypeStruct(surface.start.shape, dtype)
    assert jax.eval_shape(surface, point).dtype == dtype


@pytest.mark.parametrize("name", EVERY)
def test_arrays_follow_the_default_float_type(name):
    assert surfaces.Surface(*EVERY[name]()).start.dtype == jnp.float32
    with jax.enable_x64(True):
        surface = EVERY[name]()
        assert surface.start.dtype == jnp.float64
        assert surface.optimum is None or surface.optimum.dtype == jnp.float64


@pytest.mark.parametrize("name", EVERY)
def test_start_is_in_view_and_views_are_ordered(name):
    surface = EVERY[name]()
    if surface.view is None:
        return
    ys = surface.start[1] if jnp.ndim(surface.start) else surface(surface.start)
    for value, (low, high) in zip((surface.start.ravel()[0], ys), surface.view, strict=True):
        assert low < value < high


@pytest.mark.parametrize("name", EVERY)
def test_point_of_another_shape(name):
    surface = EVERY[name]()
    with pytest.raises(ValueError, match=r"x must have the shape of the surface's start.*\(7,\)"):
        surface(jnp.ones(7))


def test_integers_are_points_too():
    assert surfaces.quadratic((0.5,))(jnp.array([2])) == 1.0


def test_turned_quadratic_has_the_same_curvatures(float64):
    """cos, sin of 30 degrees in closed form: H = R diag(1, 20) R^T."""
    surface = surfaces.quadratic((1.0, 20.0), angle=jnp.pi / 6)
    r = np.array([[np.sqrt(3) / 2, -0.5], [0.5, np.sqrt(3) / 2]])
    hessian = jax.jit(jax.hessian(surface))(jnp.array([0.3, -2.0]))
    chex.assert_trees_all_close(hessian, r @ np.diag([1.0, 20.0]) @ r.T, rtol=1e-12)
    assert surface(surface.start) == pytest.approx(10.5)


def test_curvatures_and_angle_are_data():
    def value(high, angle):
        return surfaces.quadratic((1.0, high), angle=angle)(jnp.array([1.0, 2.0]))

    highs, angles = jnp.array([10.0, 100.0]), jnp.array([0.0, 0.5])
    got = jax.jit(jax.vmap(value))(highs, angles)
    want = jnp.stack([value(float(h), float(a)) for h, a in zip(highs, angles, strict=True)])
    chex.assert_trees_all_close(got, want, rtol=1e-5)


def test_angle_may_be_an_array_while_tracing():
    angle = jnp.array(0.5)
    got = jax.jit(lambda x: surfaces.quadratic(angle=angle)(x))(jnp.array([1.0, 2.0]))
    chex.assert_trees_all_close(got, surfaces.quadratic(angle=0.5)(jnp.array([1.0, 2.0])))


@pytest.mark.parametrize(
    "curvatures, angle, message",
    [
        ((1.0, -2.0), 0.0, r"curvatures\[1\] must be in \[0.0, inf\), got -2.0"),
        ((), 0.0, "curvatures must be a list of one or more numbers"),
        (np.ones((2, 2)), 0.0, "curvatures must be a list of one or more numbers"),
        ((1.0,), 0.1, "angle must be 0 unless there are 2 curvatures, got 0.1"),
    ],
)
def test_bad_quadratic(curvatures, angle, message):
    with pytest.raises(ValueError, match=message):
        surfaces.quadratic(curvatures, angle=angle)


@pytest.mark.slow
@pytest.mark.parametrize("angle", [0.0, 0.4, jnp.pi / 4])
def test_saddle_is_one(angle, float64):
    """F-022: eigenvalues 2 and -2 at any angle; the start is 1 across and `offset` along."""
    surface = surfaces.saddle(angle=angle, offset=1e-9)
    values = hessian_eigenvalues(surface, jnp.zeros(2))
    chex.assert_trees_all_close(values, np.array([-2.0, 2.0]), rtol=1e-12)
    along = jnp.array([-jnp.sin(angle), jnp.cos(angle)])
    assert along @ surface.start == pytest.approx(1e-9, rel=1e-6)


def test_banana_is_rosenbrock_in_a_stretched_y(float64):
    """With a = 1, b = 20: known gradient (-2(a-x) - 4bx(y'-x^2), 2b(y'-x^2))."""
    x, y = -1.21, 0.853
    inner = 3 * y - x**2
    want = [-2 * (1 - x) - 80 * x * inner, 3 * 40 * inner]
    got = jax.jit(jax.grad(surfaces.banana()))(jnp.array([x, y]))
    chex.assert_trees_all_close(got, jnp.array(want), rtol=1e-12)


@pytest.mark.slow
def test_beale_has_one_minimum_and_two_saddles(float64):
    """E-67, exactly: eliminate x, and the critical y are the roots of two polynomials.

    f = sum (c_i - x a_i(y))^2 is best in x at S/A, S = sum c_i a_i, A = sum a_i^2, and then equals
    sum c_i^2 - S^2/A, whose derivative vanishes where S = 0 or 2 S'A = S A'.
    """
    surface = surfaces.beale()
    one = np.polynomial.Polynomial([1.0])
    a = [one - np.polynomial.Polynomial([0.0] * i + [1.0]) for i in (1, 2, 3)]
    s = 1.5 * a[0] + 2.25 * a[1] + 2.625 * a[2]
    total = a[0] ** 2 + a[1] ** 2 + a[2] ** 2
    reduced = divmod(2 * s.deriv() * total - s * total.deriv(), a[0] ** 2)[0]  # A = 0 at y = 1
    roots = np.concatenate([s.roots(), reduced.roots()])
    ys = np.unique(np.round(roots[np.abs(roots.imag) < 1e-6].real, 6))
    points = [(0.0 if abs(y - 1) < 1e-6 else s(y) / total(y), y) for y in ys]
    assert np.round(points, 3).tolist() == [[0.101, -2.645], [3.0, 0.5], [0.0, 1.0]]
    gradient = jax.jit(jax.grad(surface))
    for point in points:
        assert np.all(np.abs(gradient(jnp.array(point))) < 1e-3)
    lowest = [hessian_eigenvalues(surface, jnp.array(p)).min() for p in points]
    assert [bool(value > 0) for value in lowest] == [False, True, False]
    assert surface(jnp.array([3.0, 0.5])) == 0.0
    assert surfaces.grid(surface, size=91).loss.min() >= 0.0


@pytest.mark.slow
def test_one_dimensional_traps(float64):
    """F-021: no gradient at the worse minimum nor at the inflection."""
    curve = surfaces.local_minimum()
    roots = np.sort(np.roots([4.0, 0.0, -4.0, 0.5]).real)
    chex.assert_trees_all_close(curve.optimum, jnp.asarray(roots[0]), rtol=1e-12)
    slope, curvature = jax.jit(jax.grad(curve)), jax.jit(jax.hessian(curve))
    assert abs(slope(roots[2])) < 1e-12 and curvature(roots[2]) > 0
    assert curve(roots[2]) > curve(curve.optimum)
    assert jax.jit(jax.grad(surfaces.inflection()))(0.0) == 0.0
    assert surfaces.inflection()(-0.1) < surfaces.inflection()(0.0)


@pytest.mark.parametrize("tilt", [0.0, 0.5, 1.5])
def test_double_well_optimum_against_polynomial_roots(tilt, float64):
    roots = np.roots([4.0, 0.0, -4.0, -tilt])
    assert np.all(np.abs(roots.imag) < 1e-6)
    assert surfaces.double_well(tilt).optimum == pytest.approx(roots.real.max(), abs=1e-9)


@pytest.mark.parametrize("tilt", [-0.1, 1.54])
def test_double_well_has_two_wells(tilt):
    with pytest.raises(ValueError, match=f"tilt must be in .*, got {tilt}"):
        surfaces.double_well(tilt)


def test_two_valleys_right_one_deeper():
    surface = surfaces.two_valleys(0.5)
    assert surface(jnp.array([1.057, 0.0])) < surface(jnp.array([-0.93, 0.0]))
    with pytest.raises(ValueError, match="floor must be in"):
        surfaces.two_valleys(floor=0.0)


@pytest.mark.slow
def test_grid_axes_and_values():
    grid = surfaces.grid(surfaces.saddle(), size=5)
    chex.assert_shape(grid.loss, (5, 5))
    want = grid.x[None, :] ** 2 - grid.y[:, None] ** 2
    chex.assert_trees_all_close(grid.loss, want, atol=1e-6)
    with pytest.raises(ValueError, match=r"got points of shape \(\)"):
        surfaces.grid(surfaces.inflection())
    with pytest.raises(ValueError, match="size must be at least 2, got 1"):
        surfaces.grid(surfaces.saddle(), size=1)
