"""Numbers of the preprocessing experiments that have a closed form."""

import numpy as np
import pytest

from experiments.initialization import is_the_surface_rougher_far_from_the_optimum as surface
from experiments.preprocessing import _halves as halves
from experiments.preprocessing import do_standardised_inputs_train_better as standardised
from experiments.preprocessing import what_do_centring_and_scaling_do as clouds


def test_clouds_are_centred_and_scaled_and_stay_correlated():
    results = clouds.run(clouds.SMOKE)
    assert len(results["clouds"]) == 2
    for cloud in results["clouds"].values():
        mean, std = np.array(cloud["mean"]), np.array(cloud["std"])
        assert np.abs(mean[0] / std[0]).min() > 0.1
        assert np.abs(mean[1:] / std[1:]).max() < 1e-6
        np.testing.assert_allclose(std[1], std[0], rtol=1e-6)
        np.testing.assert_allclose(std[2], 1, atol=1e-6)
        np.testing.assert_allclose(cloud["correlation"], cloud["correlation"][0], atol=1e-5)


def test_made_up_points_have_the_covariance_of_their_mixture():
    """Rows are z A with independent normal z: standard errors are about 2 % at 5000 points."""
    made_up = clouds.run(clouds.Config("digits", images=5000))["clouds"]["made up"]
    law = np.array([[1.5, 0.0], [0.9, 0.4]]) @ np.array([[1.5, 0.9], [0.0, 0.4]])
    deviations = np.sqrt(np.diag(law))
    np.testing.assert_allclose(made_up["std"][0], deviations, rtol=0.05)
    want = law[0, 1] / deviations.prod()
    assert made_up["correlation"][0] == pytest.approx(want, abs=0.02)


def test_ways_give_the_pixels_their_names_promise():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 4)).astype(np.float32)
    given = {name: np.asarray(way(pixels)(pixels)) for name, way in halves.WAYS.items()}
    np.testing.assert_array_equal(given[halves.RAW], pixels)
    np.testing.assert_allclose(given[halves.UNIT], pixels / 255, rtol=1e-6)
    np.testing.assert_allclose(given[halves.STANDARDISED].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(given[halves.STANDARDISED].std(axis=0), 1, rtol=1e-5)


def test_updates_are_counted_to_the_first_look_under_the_target():
    errors = np.array([[90.0, 20.0, 30.0, 10.0], [90.0, 80.0, 70.0, 60.0]])
    found = standardised.measure(standardised.SOONER, errors, "wine")
    np.testing.assert_allclose(found, np.log10([2.0, 4.0]))
    np.testing.assert_array_equal(
        standardised.measure(standardised.FINAL, errors, "wine"), [10.0, 60.0]
    )


def test_what_no_parabola_explains():
    """Nothing of a parabola. Of t^3 the best line, 3 t / 5, leaves 4 / 175 of a mean square 1 / 7.

    That is 0.16, for a continuous t.
    """
    x, y = np.meshgrid(*[np.linspace(-1, 1, 101)] * 2)
    assert surface.unexplained(3 + x - 2 * y + x * x - 5 * x * y) < 1e-12
    assert surface.unexplained(x**3) == pytest.approx(0.16, rel=0.03)
