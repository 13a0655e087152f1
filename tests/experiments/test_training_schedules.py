"""The schedules' experiments on networks, where what they compute has a closed form."""

import re

import numpy as np
import pytest

from experiments.learning_rate import can_too_high_a_first_rate_make_the_loss_grow as growing
from experiments.learning_rate import do_decaying_schedules_beat_the_best_constant_rate as decaying
from experiments.learning_rate import does_cutting_the_rate_make_the_loss_jump as cutting


def test_every_decaying_shape_begins_at_one_and_never_rises():
    curves = {kind: np.asarray(curve) for kind, curve in decaying.tables(300).items()}
    for kind, curve in curves.items():
        assert curve.shape == (300,) and curve[0] == 1, kind
        assert (np.diff(curve) <= 0).all(), kind
    assert curves["step"][[99, 100, 200]] == pytest.approx([1, 0.1, 0.01])
    assert curves["residual"][[149, 150, 225]] == pytest.approx([1, 0.1, 0.01])
    for kind in ("exponential", "1/t"):
        assert curves[kind][-1] == pytest.approx(0.01, rel=0.02)


def test_every_shape_is_judged_against_the_constant_rate():
    """Losses 1 for the constant, less for the others by 0.1, 0.2, ...: those are the gains."""
    losses = dict(zip(decaying.KINDS, 1 - 0.1 * np.arange(8), strict=True))
    tested = {
        kind: {"loss": np.full(5, losses[kind]), "accuracy": np.ones(5)} for kind in sorted(losses)
    }
    best = dict.fromkeys(losses, 0)
    (verdict,) = decaying.judge({"data_set": "", "steps": 1, "tested": tested, "best": best})
    assert verdict.outcome == "confirmed"
    gains = re.findall(r"gain: (\S+)", verdict.measured)
    assert [float(gain) for gain in gains] == pytest.approx(0.1 * np.arange(1, 8))


def test_residual_schedule_is_cut_between_the_windows():
    rates = np.asarray(cutting.rate_tables(1280))
    cuts = np.flatnonzero(np.diff(rates[0])) + 1
    assert cuts.tolist() == [40 * at for at in cutting.CUT_AT.values()] == [640, 960]
    assert rates[0][[0, 640, 960]] == pytest.approx([0.1, 0.01, 0.001])


def test_a_drop_of_known_size_is_found_in_units_of_its_noise():
    """Windows alternate by 0.1 about a level that falls by 1: changes of +-0.2 have sd 0.2138."""
    losses = np.where(np.arange(32) % 2, 0.1, -0.1) + 3.0 - (np.arange(32) >= 16)
    assert cutting.change(losses, 16, 1) == pytest.approx(-1.2)
    assert cutting.change(losses, 16, 2) == pytest.approx(-1.0)
    assert cutting.noise(losses, 16) == pytest.approx(0.2 * np.sqrt(48 / 49 * 7 / 6))


def test_windows_are_means_of_their_blocks():
    blocks = np.arange(cutting.WINDOWS * cutting.BLOCKS, dtype=float)
    np.testing.assert_allclose(cutting.windows(blocks), 5 * np.arange(32) + 2)


def test_slope_of_an_exponential_is_its_exponent_and_the_ceiling_counts_as_risen():
    losses = np.minimum(10.0 ** (0.25 * np.arange(21)), growing.WORST)[None]
    assert growing.slopes(losses) == pytest.approx(0.25)
    assert growing.rises(np.array([[1.0, 2.0, 1.0, 1e6, 1e6]])) == pytest.approx(0.75)
