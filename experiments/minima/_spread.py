"""How the spread of losses over seeds changes with the width, and its uncertainty."""

import numpy as np

from experiments.engine.before import Verdict


def resampled_sd(losses: np.ndarray, resamples: int = 2000) -> np.ndarray:
    """Log sd over the seeds (first axis) of bootstrap samples `[resample, ...]`."""
    seeds = len(losses)
    draws = np.random.default_rng(0).integers(0, seeds, (resamples, seeds))
    return np.log(np.std(losses[draws], axis=1, ddof=1))


def trend(subject: str, losses: np.ndarray, widths: np.ndarray, text: str) -> Verdict:
    """Slope of log sd of `losses` `[seed, width]` against log width; claimed negative.

    One width has no slope: undecided.
    """
    if len(widths) < 2:
        return Verdict(subject, "undecided", f"{text}: one width", seeds=len(losses))

    def slope(log_sd: np.ndarray) -> np.ndarray:
        return np.polyfit(np.log(widths), log_sd.T, 1)[0]

    value = float(slope(np.log(np.std(losses, axis=0, ddof=1))[None])[0])
    low, high = np.percentile(slope(resampled_sd(losses)), [2.5, 97.5])
    outcome = "confirmed" if high < 0 else "refuted" if low > 0 else "undecided"
    measured = f"{text}: sd ~ width^{value:.2f} [{low:.2f}, {high:.2f}]"
    return Verdict(subject, outcome, measured, value, float(low), float(high), len(losses))
