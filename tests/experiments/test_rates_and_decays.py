"""Where weight decay diverges by the closed form, and which rate of a range is the best."""

import jax
import numpy as np
import pytest

from experiments.tuning import can_decay_alone_make_weights_diverge as decays
from experiments.tuning import which_rates_do_the_notes_mean as rates


@pytest.mark.parametrize("limit, area", [(2.0, 0.01527), (1.0, 0.03125), (10.0, 0.0), (100.0, 0.0)])
def test_the_area_over_a_limit_is_a_triangle(limit, area):
    """Exponents add up to 1 at most: half the square of 1 - log10(limit), over 2 x 8."""
    found = decays.area_over(limit, decays.Config.coarse)
    assert found == pytest.approx(area, rel=1e-3)


def test_a_weight_shrinks_by_one_minus_rate_times_decay():
    with jax.enable_x64(True):
        for name in (decays.DESCENT, "AdamW"):
            for make in (decays.rules(0.9)[name].ours, decays.rules(0.9)[name].theirs):
                found = decays.weights(make, 0.5, 3.0, 4)
                np.testing.assert_allclose(found, [-0.5, 0.25, -0.125, 0.0625], rtol=1e-12)


def test_a_weight_with_momentum_follows_its_recursion():
    with jax.enable_x64(True):
        found = decays.weights(decays.rules(0.9)["momentum"].ours, 0.5, 2.0, 3)
    weight, velocity, wanted = 1.0, 0.0, []
    for _ in range(3):
        velocity = 0.9 * velocity + 2.0 * weight
        weight -= 0.5 * velocity
        wanted.append(weight)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_the_best_rate_of_a_range_and_what_it_costs():
    results = {
        "rates": [1e-5, 1e-3, 1e-1, 10.0],
        "losses": {"adam": [[2.0, 2.0], [1.0, 3.0], [0.5, 0.5], [9.0, 9.0]]},
    }
    assert rates.best_rate(results, "adam") == 2
    assert rates.best_rate(results, "adam", among=(1e-5, 1e-3)) == 0
    assert rates.cost(results, "adam", (1e-5, 1e-3)).tolist() == [4.0, 4.0]
