"""Sizes of the errata that have a closed form."""

import math

import jax
import numpy as np
import pytest

from experiments.errata import (
    do_dropped_units_keep_their_value,
    do_momentum_conventions_agree,
    do_ragged_batches_bias_the_mean,
    do_the_printed_lines_compile,
    does_adagrad_divide_by_the_root,
    does_epsilon_belong_inside_the_root,
    how_large_are_uncorrected_first_steps,
    when_do_the_printed_schedules_cut_the_rate,
    where_do_warmup_and_inverse_root_start,
    which_logarithm_checks_the_loss,
    which_random_search_draws_are_negative,
    which_signs_turn_descent_into_ascent,
)


def test_printed_momentum_and_the_right_one_are_mirror_images_at_the_first_step():
    """Both follow a line h w^2 / 2: w (1 + alpha h) as printed, w (1 - alpha h) as meant."""
    tx = which_signs_turn_descent_into_ascent.printed_momentum(0.1, 0.9)
    update, velocity = tx.update(np.array(2.0), tx.init(np.array(0.0)))
    assert (float(update), float(velocity)) == pytest.approx((0.2, -2.0))


def test_third_velocity_of_the_sum_and_of_the_misprint():
    """-0.1 (0.81 + 1.8 + 3) and the same with the oldest term's sign turned."""
    found = which_signs_turn_descent_into_ascent.unfold()
    assert found["velocities"] == pytest.approx([-0.1, -0.29, -0.561])
    assert found["printed_sum"] == pytest.approx(-0.561)
    assert found["unfolded"] == pytest.approx(-0.561 + 2 * 0.081)


@pytest.mark.parametrize("name, power", does_adagrad_divide_by_the_root.DIVISORS.items())
def test_first_step_of_each_divisor(name, power):
    """The cache is g^2 then, so g / g^(2 p)."""
    tx = does_adagrad_divide_by_the_root.divide_by_power(0.5, power)
    update, _ = tx.update(np.array(20.0), tx.init(np.array(0.0)))
    assert float(update) == pytest.approx(-0.5 * 20 ** (1 - 2 * power), rel=1e-4), name


def test_steps_of_a_sum_and_of_an_average():
    """1 / sqrt(t), and 1 / sqrt(1 - 0.9^t)."""
    script = does_adagrad_divide_by_the_root
    results = script.run(script.SMOKE)
    t = results["count"]
    np.testing.assert_allclose(results["steps"]["sum"], t**-0.5, rtol=1e-5)
    np.testing.assert_allclose(results["steps"]["average"], (1 - 0.9**t) ** -0.5, rtol=1e-5)


@pytest.mark.slow
def test_first_steps_by_place_of_epsilon_and_start():
    with jax.enable_x64(True):
        step = does_epsilon_belong_inside_the_root.first_step
        g = np.array([1e-5])
        assert float(step(g, eps=1e-7)[0]) == pytest.approx(1 / 1.01)
        assert float(step(g, eps=1e-7, eps_inside=True)[0]) == pytest.approx(1e-5 / 1.001e-7**0.5)
        one = step(np.array([1.0]), eps=0.0, initial_accumulator=0.1)
        assert float(one[0]) == pytest.approx(1.1**-0.5)


@pytest.mark.slow
def test_raw_steps_of_adam():
    """(1 - b1^t) / sqrt(1 - b2^t) times the corrected ones."""
    script = how_large_are_uncorrected_first_steps
    results = script.run(script.SMOKE)
    assert results["first"] == pytest.approx([0.1 / 0.001**0.5, 0.01 / 0.001**0.5], rel=1e-5)
    t = np.arange(1, 4001)
    law = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    assert results["largest_at"][0] == np.argmax(law) + 1 == 12
    assert results["largest"][0] == pytest.approx(law.max(), rel=1e-5)


@pytest.mark.parametrize("iterations", [1, 2, 10])
def test_the_printed_loop_makes_one_update_fewer(iterations):
    end = how_large_are_uncorrected_first_steps.printed_loop(iterations, learning_rate=1.0)
    assert -end == pytest.approx(iterations - 1, abs=1e-4)


@pytest.mark.slow
def test_distance_after_the_rate_fell():
    """Inside: the velocity falls geometrically from -1 (nearly) to -0.1."""
    script = do_momentum_conventions_agree
    results = script.run(script.SMOKE)
    drop, inside = script.SMOKE.drop, results["positions"]["inside"]
    velocity = -0.1 * (1 - 0.9**drop) / 0.1
    for steps in (10, 11, script.SMOKE.total - drop):
        decayed = 0.9 * (1 - 0.9**steps) / 0.1
        new = 0.1 * (steps - decayed)
        moved = inside[drop + steps] - inside[drop]
        assert moved == pytest.approx(velocity * decayed - new, rel=1e-5)
    for plain, damped, factor in zip(results["plain"], results["damped"], (10, 100), strict=True):
        np.testing.assert_allclose(plain / damped, factor, rtol=1e-5)


def test_negative_draws():
    """All of -50 .. -30, half of -40 .. 40, five times the error of a binomial."""
    script = which_random_search_draws_are_negative
    printed = script.run(script.SMOKE)["printed"]
    assert printed["rate_negative"] == 1
    assert abs(printed["decay_negative"] - 0.5) < 5 * 0.5 / math.sqrt(script.SMOKE.draws)


def test_losses_of_equal_scores():
    script = which_logarithm_checks_the_loss
    results = script.run(script.SMOKE)
    ratio = np.array(results["measured"]) / results["decimal"]
    np.testing.assert_allclose(ratio, math.log(10), rtol=1e-5)


@pytest.mark.slow
def test_printed_plateau_goes_up_where_ours_goes_down():
    script = when_do_the_printed_schedules_cut_the_rate
    results = script.run(script.SMOKE)
    product = np.asarray(results["plateau_right"]) * results["plateau_literal"]
    np.testing.assert_allclose(product, 0.01, rtol=1e-5)
    assert script.cuts(results["plateau_literal"]) == [11, 22, 33]


@pytest.mark.parametrize("last", [1, 104, 128])
def test_error_of_the_mean_of_means(last):
    """Variance of the difference of two weighted sums, by the weights one by one."""
    script = do_ragged_batches_bias_the_mean
    sizes = np.array([script.BATCH] * (script.BATCHES - 1) + [last])
    weights = np.repeat(1 / (script.BATCHES * sizes), sizes)
    error = math.sqrt(np.sum((weights - 1 / sizes.sum()) ** 2))
    assert script.law(last) == pytest.approx(error, abs=1e-12)


@pytest.mark.slow
def test_measured_error_of_the_mean_of_means_is_the_laws():
    """30 data sets tell a root mean square to 13 %; five times that."""
    script = do_ragged_batches_bias_the_mean
    results = script.run(script.SMOKE)
    ragged = np.array(results["law"]) > 0
    ratio = np.asarray(results["rms"])[ragged, 0] / np.array(results["law"])[ragged]
    np.testing.assert_allclose(ratio, 1, atol=5 / math.sqrt(2 * script.SMOKE.seeds))
    late = (np.arange(896, 1000) + 0.5) / 1000
    early = (np.arange(896) + 0.5) / 1000
    expected = [7 / 8 * early.mean() + late.mean() / 8, 0.5]
    np.testing.assert_allclose(results["sorted_means"], expected, rtol=1e-5)


@pytest.mark.slow
def test_first_updates_of_dropped_units():
    """rho (1 - rho^10) / (1 - rho); Adam's from its moments, both decayed once."""
    script = do_dropped_units_keep_their_value
    first = script.run(script.SMOKE)["first"]
    assert first["momentum"] == pytest.approx(0.9 * (1 - 0.9**10) / 0.1)
    moment = 0.9 * (1 - 0.9**10) / (1 - 0.9**11)
    square = 0.999 * (1 - 0.999**10) / (1 - 0.999**11)
    assert first["adam"] == pytest.approx(moment / math.sqrt(square), rel=1e-5)
    assert first["descent, L2"] == pytest.approx(
        0.1 * (1 - 0.0001) ** 10 - 0.0001 * sum((1 - 0.0001) ** k for k in range(10)) * 1.0,
        rel=1e-5,
    )
    assert first["gradient descent"] == first["adagrad"] == first["rmsprop"] == 0


@pytest.mark.slow
def test_warmups_of_bert_and_of_the_notes():
    script = where_do_warmup_and_inverse_root_start
    results = script.run(script.SMOKE)
    count = np.arange(101)
    np.testing.assert_allclose(results["first_step"], np.minimum(count + 1, 10) / 10, rtol=1e-6)
    np.testing.assert_allclose(results["zero"], np.minimum(count, 10) / 10, rtol=1e-6)
    bert = np.minimum((count + 1) / 10, np.minimum(1, (100 - count) / 90))
    np.testing.assert_allclose(results["bert"], bert, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", do_the_printed_lines_compile.LINES)
def test_only_the_repaired_line_compiles(name):
    _, printed, repaired, _ = do_the_printed_lines_compile.LINES[name]
    with pytest.raises(SyntaxError):
        compile(printed, "<printed>", "exec")
    compile(repaired, "<repaired>", "exec")
