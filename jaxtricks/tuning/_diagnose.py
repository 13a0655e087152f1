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
        name: the name of the rule, which says what is wrong.
        because: a sentence with the numbers on which the finding is based.
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

    Each rule compares a few numbers, which are repeated in the finding. The rules are for losses
    that are never negative, such as cross-entropy. The chance level is the loss of a model that
    gives all classes the same probability.

    - `"diverged"`: a training loss is not finite, or the last one is above 1.5 times the chance
      level.
    - A run is flat if none of its last three training losses is more than 5 % below the chance
      level and its last training accuracy, if known, is at most 0.9. Its finding is the first of
      these that applies: `"dead"` if the last gradient norm is at most 1e-6 of the largest one;
      `"rate too high"` if the loss was ever more than 10 % above the chance level; `"rate too low"`
      if the loss fell in at least 80 % of the epochs; `"rate too high"` if the loss was ever more
      than 2 % away from the chance level, which happens if a high learning rate has stopped all
      learning; otherwise `"bad start"`. Only a run of at least two epochs can be flat; without
      `classes`, only one of at least five.
    - `"bad start"`, also in runs that are not flat: by the end of the first fifth of the epochs the
      training loss had made less than 5 % of its fall from the chance level to its last value.
    - `"decayed too early"`: in the first half of the run, while the training loss was falling, the
      learning rate dropped to a half or less from one epoch to the next, and in the next five
      epochs the loss fell at most a fifth as fast per epoch as in the five epochs before.
    - `"overfit"`: since its minimum the validation loss has risen by more than 10 % of its fall up
      to the minimum, while the training loss fell, both averaged over a tenth of the epochs, at
      least three; or the last training accuracy is more than 0.1 above the validation accuracy.
    - `"plateau"`: the training loss has stopped falling but still fluctuates. It has stopped if,
      from the first to the second half of the last third of the epochs, its mean fell by at most
      5 % of the mean of that third or at most the mean absolute change per epoch, and the mean is
      at least 5 % of the chance level. It fluctuates if the mean absolute change is over 1 % of the
      mean. The last learning rate, if known, must be above a fifth of its maximum.
    - `"underfit"`: the training loss has stopped falling in the same sense, but it fluctuates less
      or the learning rate is lower; and the last validation loss, if there is one, is at most 10 %
      above the training loss.
    - `"still falling"`: in the last fifth of the epochs the validation loss (the training loss if
      there is none) fell by over 3 % of its last value and by over half of the sum of its absolute
      changes, and its last value is at least 5 % of the chance level.

    A diverged or flat run has no other finding. The other rules need five epochs. A run has at most
    one of `"decayed too early"`, `"plateau"`, `"underfit"` and `"still falling"`.

    Args:
        history: the result of `training.fit` or `training.run`, the list of records that `fit`
            wrote, or a dict of curves with the same names: `"train.loss"` and, optionally,
            `"validation.loss"`, `"train.accuracy"`, `"validation.accuracy"`,
            `"train.learning_rate"`, `"train.gradient_norm"`. If `search` with `rungs` ended a trial
            early, remove the NaN at the end of its curves, because NaN counts as divergence.
        classes: number of classes, whose logarithm is the chance level. With None the chance level
            is taken to be the larger of the training and validation losses of the first epoch,
            which is too small if that epoch reduced the loss much.

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
    return finding("decayed too early", f"{because} after it; the rate became {c.rates[drop]:.2g}")


def overfit(c: Curves) -> Finding | None:
    """Tests whether the validation loss rose, or validation accuracy is far below training's."""
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
