"""Diagnosis of a training run from its curves."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxtricks._checks import check_integer
from jaxtricks.training import Fit, Run
from jaxtricks.tuning._curves import Curves, read_curves

Name = Literal[
    "diverged",
    "dead",
    "rate too low",
    "rate too high",
    "bad start",
    "decayed too early",
    "overfit",
    "plateau",
    "underfit",
    "still falling",
]
ADVICE: dict[str, str] = {
    "diverged": "Lower the learning rate, clip the gradient, or use a learning-rate warmup.",
    "dead": "Lower the learning rate, or change the initial weights: the gradient has vanished.",
    "rate too low": "Raise the learning rate.",
    "rate too high": "Lower the learning rate.",
    "bad start": "Change the initial weights, or normalise the layers' inputs. If that does not "
    "help, look for a wrong gradient, or for labels in another order than the inputs.",
    "decayed too early": "Decay the learning rate later.",
    "overfit": "Regularise more, use more data, or stop when the validation loss is lowest.",
    "plateau": "Decay the learning rate.",
    "underfit": "Use a larger model, or regularise less.",
    "still falling": "Train for longer.",
}


class Finding(NamedTuple):
    """A rule of `diagnose` that applies to a run.

    Attributes:
        name: the name of the rule, which is what is wrong.
        because: the numbers on which the finding is based.
        advice: what to change.
    """

    name: Name
    because: str
    advice: str


def diagnose(
    history: Fit | Run | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    classes: int | None = None,
) -> list[Finding]:
    """Finds what is wrong with a training run from its curves.

    Each rule compares a few numbers, which the finding repeats. The rules are for losses that are
    never negative, such as cross-entropy. The chance level is the loss of a model that gives all
    classes the same probability.

    - `"diverged"`: the training loss is not finite, or ends above 1.5 times the chance level.
    - A run is flat if none of its last three training losses is more than 5 % below the chance
      level and training accuracy is at most 0.9. The first case that applies is the finding:
      `"dead"` if the gradient has vanished; `"rate too high"` if the loss was ever 10 % above the
      chance level; `"rate too low"` if it fell in four epochs of five; `"rate too high"` if it was
      ever 2 % away from the chance level, as with a learning rate that has stopped all learning;
      else `"bad start"`. This needs two epochs, or five without `classes`.
    - `"bad start"`, also in runs that are not flat: by the end of the first fifth of the epochs the
      loss had fallen from the chance level by less than 5 % of its total fall.
    - `"decayed too early"`: in the first half of the run the learning rate dropped to a half or
      less while the loss was falling, and since then the loss has fallen less than a fifth as fast.
    - `"overfit"`: the validation loss has risen from its minimum by 10 % of its fall, while the
      training loss fell (averaged over a tenth of the epochs, at least three); or training accuracy
      is more than 0.1 above validation accuracy.
    - `"plateau"`: between the halves of the last third of the epochs the training loss fell by at
      most 5 % of its mean there, or by at most its mean change in one epoch, and the mean is at
      least 5 % of the chance level. That change is over 1 % of the mean, and the learning rate is
      above a fifth of its maximum.
    - `"underfit"`: the same fall, but with a smaller change per epoch or a lower learning rate, and
      a validation loss at most 10 % above the training loss.
    - `"still falling"`: in the last fifth of the epochs the validation loss (the training loss if
      there is none) fell by over 3 % of its last value and by over half of the sum of its changes,
      and it is at least 5 % of the chance level.

    A diverged or flat run has no other finding. The other rules need five epochs. At most one of
    `"decayed too early"`, `"plateau"`, `"underfit"` and `"still falling"` is found.

    Args:
        history: the result of `training.fit` or `training.run`, the list of records that `fit`
            wrote, or a dict of curves with the same names: `"train.loss"` and, optionally,
            `"validation.loss"`, `"train.accuracy"`, `"validation.accuracy"`,
            `"train.learning_rate"`, `"train.gradient_norm"`. Remove the NaN at the end of a trial
            that a search with rungs ended, because NaN counts as divergence.
        classes: number of classes, whose logarithm is the chance level. None takes the larger of
            the training and validation losses of the first epoch, which is too small if that epoch
            reduced the loss much.

    Returns:
        The findings, the most urgent first; an empty list if no rule applies, as in a good run.

    Raises:
        ValueError: there is no epoch or no `"train.loss"`, curves differ in length, the name of a
            curve is misspelt, a training loss is negative, or `classes` is under 2.
        TypeError: an argument has a wrong type.

    Example:
        >>> epochs = np.arange(20)
        >>> slow = {"train.loss": 2.3 - 0.001 * epochs}
        >>> for finding in diagnose(slow, classes=10):
        ...     print(finding.name, finding.because, sep=": ")
        rate too low: train.loss is 2.281, chance level 2.303; it fell in 100 % of the epochs
    """
    if classes is not None:
        check_integer("classes", classes, low=2)
    curves = read_curves(history, classes)
    if found := diverged(curves) or flat(curves, classes is not None):
        return [found]
    if len(curves.train) < 5:
        return []
    end = decayed_too_early(curves) or plateau(curves) or still_falling(curves)
    return [found for found in (bad_start(curves), overfit(curves), end) if found]


def finding(name: Name, because: str) -> Finding:
    return Finding(name, because, ADVICE[name])


def diverged(c: Curves) -> Finding | None:
    """Tests whether the training loss is not finite, or ends far above the chance level."""
    bad = ~np.isfinite(c.train)
    if bad.any():
        return finding("diverged", f"train.loss is {c.train[bad][0]} in epoch {bad.argmax() + 1}")
    if c.train[-1] > 1.5 * c.chance:
        return finding("diverged", f"train.loss is {c.train[-1]:.4g}, chance level {c.chance:.4g}")
    return None


def flat(c: Curves, sure: bool) -> Finding | None:
    """Tests whether the loss stayed near the chance level, and names the probable cause."""
    last, few = float(c.train[-3:].min()), len(c.train) < (2 if sure else 5)
    if last < 0.95 * c.chance or few or (c.accuracy or 0.0) > 0.9:
        return None
    because = f"train.loss is {last:.4g}, chance level {c.chance:.4g}"
    if c.norms is not None and c.norms[-1] <= 1e-6 * np.nanmax(c.norms):
        return finding("dead", f"{because}; train.gradient_norm is {c.norms[-1]:.2g}")
    down = float(np.mean(np.diff(c.train) < 0))
    because += f"; it fell in {100 * down:.0f} % of the epochs"
    if c.train.max() > 1.1 * c.chance:
        because = f"{because}; its maximum is {c.train.max():.4g}"
        return finding("rate too high", because)
    if down >= 0.8:
        return finding("rate too low", because)
    away = np.abs(c.train - c.chance).max() > 0.02 * c.chance
    return finding("rate too high" if away else "bad start", because)


def bad_start(c: Curves) -> Finding | None:
    """Tests whether the loss was flat at first and fell later."""
    fall = c.chance - c.train[-1]
    late = c.train < c.chance - 0.05 * fall
    epochs = int(late.argmax())
    if epochs < max(2, 0.2 * len(c.train)):
        return None
    because = f"train.loss was {c.train[epochs - 1]:.4g} after {epochs} epochs of {len(c.train)}"
    return finding("bad start", f"{because}, chance level {c.chance:.4g}")


def decayed_too_early(c: Curves) -> Finding | None:
    """Tests whether the loss stopped falling when the learning rate dropped."""
    if c.rates is None:
        return None
    drops = np.flatnonzero(c.rates[1:] <= 0.5 * c.rates[:-1]) + 1
    if not len(drops) or not 2 <= drops[0] <= len(c.train) // 2:
        return None
    drop = int(drops[0])
    begin, end = max(drop - 5, 0), min(drop + 6, len(c.train))
    before = (c.train[begin] - c.train[drop - 1]) / (drop - 1 - begin)
    after = (c.train[drop] - c.train[end - 1]) / (end - 1 - drop)
    if before < 0.01 * (c.chance - c.train[-1]) or after > 0.2 * before:
        return None
    because = f"train.loss fell by {before:.2g} per epoch before epoch {drop + 1}, by {after:.2g}"
    return finding("decayed too early", f"{because} since; the rate became {c.rates[drop]:.2g}")


def overfit(c: Curves) -> Finding | None:
    """Tests whether validation got worse, or is much worse than training."""
    if c.validation is not None and np.isfinite(c.validation).all():
        window = max(len(c.train) // 10, 3)
        train, held_back = (means(losses, window) for losses in (c.train, c.validation))
        least = int(held_back.argmin())
        risen = held_back[-1] - held_back[least]
        fall = max(c.chance, c.validation[0]) - held_back[least]
        if risen > 0.1 * fall and train[-1] < train[least]:
            because = f"validation.loss was {held_back[least]:.4g} in the {window} epochs from "
            because += f"{least + 1} on and is {held_back[-1]:.4g}, but train.loss has fallen"
            return finding("overfit", because)
    if c.gap is not None and c.gap > 0.1:
        return finding("overfit", f"train.accuracy is {c.gap:.2f} above validation.accuracy")
    return None


def means(losses: np.ndarray, window: int) -> np.ndarray:
    """Computes the moving average over `window` epochs."""
    return np.convolve(losses, np.full(window, 1 / window), "valid")


def plateau(c: Curves) -> Finding | None:
    """Tests whether progress has stopped far from 0, because of noise or a lack of capacity."""
    last = c.train[-max(len(c.train) // 3, 3) :]
    half = len(last) // 2
    progress = float(last[:half].mean() - last[half:].mean())
    noise = float(np.abs(np.diff(last)).mean())
    if progress > max(0.05 * last.mean(), noise) or last.mean() < 0.05 * c.chance:
        return None
    because = f"in the last {len(last)} epochs train.loss fell by {progress:.2g} to"
    because += f" {last[half:].mean():.4g}, and it changes by {noise:.2g} per epoch"
    decayed = c.rates is not None and c.rates[-1] <= 0.2 * c.rates.max()
    if noise > 0.01 * last.mean() and not decayed:
        return finding("plateau", because)
    if c.validation is not None and c.validation[-1] > 1.1 * c.train[-1]:
        return None
    return finding("underfit", because)


def still_falling(c: Curves) -> Finding | None:
    """Tests whether the loss was still falling at the end of the run."""
    losses = c.train if c.validation is None else c.validation
    fifth = max(len(losses) // 5, 1)
    lately = losses[-1 - fifth] - losses[-1]
    path = np.abs(np.diff(losses[-1 - fifth :])).sum()
    if not lately > max(0.03 * losses[-1], path / 2) or losses[-1] < 0.05 * c.chance:
        return None
    name = "train" if c.validation is None else "validation"
    because = f"in the last {fifth} epochs {name}.loss fell by {lately:.2g} to {losses[-1]:.4g}"
    return finding("still falling", because)
