"""The rates of a net on a planted plateau against the closed form and PyTorch's own table."""

import numpy as np
import pytest

from experiments.learning_rate import does_the_rate_drop_on_a_planted_plateau as planted


@pytest.mark.slow
def test_rate_drops_at_bad_epoch_patience_plus_one_and_as_in_pytorch():
    """The rate used in an epoch follows the metric of the one before; the plateau begins at 1."""
    config = planted.SMOKE
    results = planted.run(config)
    losses, rates = results["losses"], results["rates"]
    plateau = slice(config.first - 1, config.first + config.length)
    assert np.all(losses[..., plateau] == losses[..., plateau.start : plateau.start + 1])
    assert np.all(losses[..., -1] != losses[..., plateau.start])
    for patience, traces in zip(config.patiences, rates, strict=True):
        bad = np.clip(np.arange(config.epochs) - config.first, 0, config.length)
        law = 0.1 * 0.1 ** (bad // (patience + 1))
        np.testing.assert_allclose(traces, np.tile(law, (config.seeds, 1)), rtol=1e-5)
    theirs = results["golden"][: config.length + 1]
    ours = rates[config.patiences.index(10), :, config.first : config.first + config.length + 1]
    np.testing.assert_allclose(ours, np.tile(theirs, (config.seeds, 1)), rtol=1e-5)


def test_the_cuts_of_a_plateau():
    assert planted.cut_epochs(2, 6, 18).tolist() == [8, 11, 14, 17, 20, 23]
    assert planted.cut_epochs(10, 6, 10).tolist() == []
