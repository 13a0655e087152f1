"""Intervals and p-values against scipy, and what share of intervals covers the true value."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from experiments.engine import correlation, exactly, interval, mean, ranked, share, share_difference
from experiments.engine._estimate import sign_flip_p

SIZES = (3, 5, 10, 20)
RUNS = 4000


def sample(n, seed=0):
    return np.random.default_rng(seed).normal(0.4, 1, n)


@pytest.mark.parametrize("n", SIZES)
def test_means_are_student_s(n):
    values = sample(n)
    found, want = mean(values), stats.ttest_1samp(values, 0.0)
    assert (found.value, found.n) == (values.mean(), n)
    np.testing.assert_allclose((found.low, found.high), want.confidence_interval(0.95))
    np.testing.assert_allclose(min(found.above(0), found.below(0)), want.pvalue, rtol=1e-9)


@pytest.mark.parametrize(
    "found", [mean(sample(10)), share(7, 10), correlation(*sample(40).reshape(2, 20))]
)
def test_p_values_and_intervals_agree(found):
    """One is the other turned round: at an end of the interval p is 5 %."""
    np.testing.assert_allclose((found.below(found.high), found.above(found.low)), 0.05, rtol=1e-6)
    assert found.below(found.high + 0.01) < 0.05 < found.below(found.high - 0.01)
    assert found.above(found.low - 0.01) < 0.05 < found.above(found.low + 0.01)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_signs_are_flipped_as_scipy_does(n):
    values = sample(n)
    found = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(values) == pytest.approx(found.pvalue)


def test_signs_of_many_values_are_drawn():
    """Of 21 values the sum of signs, in closed form: the share of draws beyond 15 of 21 alike."""
    values = np.array([1.0] * 15 + [-1.0] * 6)
    want = 2 * stats.binom.sf(14, 21, 0.5)
    assert sign_flip_p(values) == pytest.approx(want, abs=4 * np.sqrt(want / 1e5))
    assert sign_flip_p(np.arange(1.0, 22.0)) >= 1 / 100_001


def test_ties_are_counted_after_rounding():
    """Differences of accuracies on 360 examples, as a record keeps them: in whole examples they are
    the same, ties and all."""
    first = np.array([337, 331, 330, 337, 331, 337, 333, 335, 339, 339])
    second = np.array([336, 332, 331, 334, 329, 338, 329, 331, 335, 337])
    kept = np.round(first / 360, 7) - np.round(second / 360, 7)
    narrow = np.float32(first / 360) - np.float32(second / 360)
    assert sign_flip_p(kept) == sign_flip_p(narrow) == sign_flip_p(first - second) == 0.05078125


def test_a_choice_that_was_made_once_widens_the_interval():
    values = sample(10)
    narrow, wide = mean(values), mean(values, choice_variance=values.var(ddof=1) / 10)
    assert wide.high - wide.value == pytest.approx(np.sqrt(2) * (narrow.high - narrow.value))


@pytest.mark.parametrize("n", SIZES)
def test_shares_are_clopper_and_pearson_s(n):
    for successes in range(n + 1):
        found = share(successes, n)
        low = stats.beta.ppf(0.025, successes, n - successes + 1) if successes else 0.0
        high = stats.beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1.0
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6)


def test_paired_shares_are_mcnemar_s():
    """10 trials that only the first wins, 2 that only the second wins, 8 alike."""
    first = np.array([1] * 10 + [0] * 2 + [1] * 5 + [0] * 3, bool)
    second = np.array([0] * 10 + [1] * 2 + [1] * 5 + [0] * 3, bool)
    found = share_difference(first, second)
    assert found.value == pytest.approx(8 / 20)
    assert found.p == pytest.approx(2 * sum(stats.binom.pmf(k, 12, 0.5) for k in range(3)))
    np.testing.assert_allclose(found.below(found.high), 0.05, atol=1e-5)
    np.testing.assert_allclose(found.above(found.low), 0.05, atol=1e-5)
    differ = stats.binomtest(12, 20).proportion_ci(0.975, method="exact")
    favour = stats.binomtest(10, 12).proportion_ci(0.975, method="exact")
    assert found.low == pytest.approx((2 * favour.low - 1) * differ.high)  # under 0: the far end
    assert found.high == pytest.approx((2 * favour.high - 1) * differ.high)


@pytest.mark.parametrize("n", [*SIZES, 100])
@pytest.mark.parametrize("gain, loss", [(0.05, 0.0), (0.2, 0.0), (0.1, 0.02), (0.3, 0.1)])
def test_paired_shares_cover_95_percent_at_least(n, gain, loss):
    """Where no trial differs nothing is said, which is never wrong."""
    draws = np.random.default_rng(0).choice([1, 0, -1], (500, n), p=[gain, 1 - gain - loss, loss])
    found = [share_difference(row > 0, row < 0) for row in draws]
    inside = [one.low <= gain - loss <= one.high for one in found]
    assert np.mean(inside) >= 0.95


@pytest.mark.parametrize("n", [6, 10, 20])
def test_signed_ranks_are_wilcoxon_s(n):
    """At any bound the p-value is scipy's; beyond the ends of the interval it is under 5 %."""
    values = sample(n)
    found = ranked(values)
    for bound in (0.0, 0.3, 0.9):
        above = stats.wilcoxon(values - bound, alternative="greater", method="exact").pvalue
        below = stats.wilcoxon(values - bound, alternative="less", method="exact").pvalue
        assert found.above(bound) == pytest.approx(min(1, 2 * above))
        assert found.below(bound) == pytest.approx(min(1, 2 * below))
    assert found.p == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)
    assert found.above(found.low - 1e-9) <= 0.05 < found.above(found.low + 1e-9)
    assert found.below(found.high + 1e-9) <= 0.05 < found.below(found.high - 1e-9)


@pytest.mark.slow
def test_many_values_can_be_ranked():
    assert ranked(np.arange(1.0, 1101)).p < 1e-100


def test_how_bad_a_diverged_run_is_called_does_not_matter():
    values = np.append(sample(19), 30.0)
    far = np.append(sample(19), 3000.0)
    assert dataclasses.astuple(ranked(values))[:3] == dataclasses.astuple(ranked(far))[:3]
    with pytest.raises(ValueError, match="6 or more values, got 5"):
        ranked(sample(5))


def test_what_nothing_random_went_into_is_a_point():
    found = exactly(2.0)
    assert (found.low, found.high, found.n, found.p) == (2.0, 2.0, None, None)
    assert [found.below(3.0), found.below(1.0)] == [0.0, 1.0]
    assert [found.above(1.0), found.above(3.0)] == [0.0, 1.0]


def test_equal_values_are_no_evidence():
    for found, n, why in [
        (mean([0.1 * 3] * 9 + [0.3]), 10, "all 10 values are 0.3"),
        (ranked(np.full(6, 2.0)), 6, "all 6 values are 2"),
        (share_difference([True, False], [True, False]), 2, "the two agree in all 2 trials"),
        (correlation([1.0] * 5, range(5)), 5, "one of the two is constant"),
        (correlation(range(5), range(0, 10, 2)), 5, "the two lie on one line"),
    ]:
        assert (found.low, found.high, found.n) == (-np.inf, np.inf, n)
        assert (found.saturated, found.p) == (why, None)
        assert found.below(9.0) == found.above(-9.0) == 1.0
    assert interval([2.0, 2.0]) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_what_cannot_be_judged_is_refused(values):
    with pytest.raises(ValueError, match="two or more finite"):
        mean(values)


@pytest.mark.parametrize("variance", [-1.0, np.nan, np.inf])
def test_a_variance_that_is_none_is_refused(variance):
    with pytest.raises(ValueError, match="choice_variance must be finite, 0 or more, got"):
        mean(sample(5), choice_variance=variance)


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e150])
def test_values_of_any_size_have_an_interval(size):
    values = sample(10)
    found, want = mean(size * values), mean(values)
    np.testing.assert_allclose(found.low / size, want.low)
    assert found.above(0) == pytest.approx(want.above(0)) and found.p == want.p


@pytest.mark.parametrize("successes, n", [(3, 2), (-1, 2), (0, 0), (0.9, 2), (1, np.nan)])
def test_a_share_of_nothing_is_refused(successes, n):
    with pytest.raises(ValueError, match="successes must be a whole number among"):
        share(successes, n)


@pytest.mark.parametrize(
    "first, second, words",
    [
        ([], [], r"\[n\]; got \(0,\)"),
        ([True], [True, False], r"equal, \[n\]"),
        ([0.4], [1.0], "0 or 1"),
    ],
)
def test_paired_shares_are_of_trials(first, second, words):
    with pytest.raises(ValueError, match=words):
        share_difference(first, second)


def test_few_pairs_have_no_correlation():
    with pytest.raises(ValueError, match="four or more pairs, got 3"):
        correlation([1.0, 2.0, 4.0], [1.0, 3.0, 2.0])


# Coverage: of 4,000 runs, so that 95 % reads as 94.3 to 95.7

DRAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "t with 3 degrees of freedom": lambda rng, n: rng.standard_t(3, size=n),
}


def covered(draw, n, truth):
    rng = np.random.default_rng(n)
    found = (interval(draw(rng, n)) for _ in range(RUNS))
    return np.mean([low <= truth <= high for _, low, high in found])


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", DRAWS)
def test_95_percent_covers_94(name, n):
    assert covered(DRAWS[name], n, 0.0) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize("name", DRAWS)
def test_ranks_cover_95_percent(name, n):
    rng = np.random.default_rng(n)
    found = [ranked(DRAWS[name](rng, n)) for _ in range(RUNS)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.94


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("truth", [0.05, 0.3, 0.5, 0.9])
def test_shares_cover_95_percent_at_least(n, truth):
    """Exactly: the probabilities of all outcomes whose interval covers the true share."""
    found = [share(k, n) for k in range(n + 1)]
    inside = [k for k, one in enumerate(found) if one.low <= truth <= one.high]
    assert sum(stats.binom.pmf(inside, n, truth)) >= 0.95


@pytest.mark.slow
def test_skewed_values_are_covered_as_judging_md_states(judging):
    """Student's t is made for the normal; of the exponential it covers less, as is written down."""
    for n in SIZES:
        got = 100 * covered(lambda rng, n: rng.exponential(size=n), n, 1.0)
        assert f"{got:.1f} % at n = {n}" in judging
