"""What the curves of a run say about its settings."""

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
    "diverged": "Lower the learning rate, clip the gradient, or warm the rate up.",
    "dead": "Lower the learning rate, or change the initial weights: no gradient is left.",
    "rate too low": "Raise the learning rate.",
    "rate too high": "Lower the learning rate.",
    "bad start": "Change the initial weights, or normalise the layers' inputs. If that does not "
    "help, the gradient does not fit the loss, or labels and inputs are of different rows.",
    "decayed too early": "Decay the learning rate later.",
    "overfit": "Regularise more, use more data, or stop where the validation loss was least.",
    "plateau": "Decay the learning rate.",
    "underfit": "Use a larger model, or regularise less.",
    "still falling": "Train for longer.",
}


class Finding(NamedTuple):
    """One rule of `diagnose` that applies.

    Attributes:
        name: what is wrong.
        because: the numbers that say so.
        advice: what to do about it.
    """

    name: Name
    because: str
    advice: str


def diagnose(
    history: Fit | Run | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    classes: int | None = None,
) -> list[Finding]:
    """Says what is wrong with a run, by its curves, the most urgent first.

    Each rule is a comparison of a few numbers, which the finding repeats. The rules are for losses
    that are never negative, such as cross-entropy. "Fall" is the loss of a model that knows nothing
    less the training loss at the end.

    - "diverged": the training loss is not finite, or one and a half times that of no knowledge.
    - A loss is flat if it fell by less than a twentieth and accuracy is not over 0.9. If it is, the
      finding is "dead" if the gradient has vanished. If not, it is "rate too high" if the loss was
      ever a tenth over that of no knowledge; then "rate too low" if it fell in four epochs of five;
      then "rate too high" again if it was ever 2 % away from that of no knowledge, because a rate
      at which nothing is learned any more looks flat, too; and "bad start" otherwise. This takes
      two epochs, without `classes` five.
    - "bad start", of a loss that is not flat: the first fifth of the epochs brought less than a
      twentieth of the fall.
    - "decayed too early": in the first half of the run the learning rate dropped to a half or less
      while the loss was falling, and it has fallen less than a fifth as fast since.
    - "overfit": the validation loss has risen by a tenth of its fall since it was least, while the
      training loss fell (means over a tenth of the epochs, three at least), or training accuracy is
      0.1 over validation accuracy.
    - "plateau": between the halves of the last third the loss fell by less than a twentieth of
      itself, or by less than it changes in an epoch, and it is over a twentieth of that without
      knowledge. It goes up and down, by over a hundredth of itself, and the learning rate has not
      dropped to a fifth.
    - "underfit": the same, but smoothly or at a rate that has dropped, and the validation loss is
      no more than a tenth over it.
    - "still falling": in the last fifth the validation loss fell by over 3 % of itself, and by over
      half of all that it went up and down, and it is over a twentieth of that without knowledge.

    Nothing else is found with "diverged" or a flat loss. All other rules need five epochs. Of
    "decayed too early", "plateau", "underfit" and "still falling" at most one is found.

    Args:
        history: what `training.fit` or `training.run` gave, the list of records that `fit` wrote,
            or a dict of curves by the names that these have: `"train.loss"`, and, if there are any,
            `"validation.loss"`, `"train.accuracy"`, `"validation.accuracy"`,
            `"train.learning_rate"`, `"train.gradient_norm"`. Cut off the NaN behind the end of a
            trial that a search with rungs has ended: NaN reads as diverged.
        classes: how many there are, for the loss without knowledge, its logarithm; None takes the
            largest loss of the first epoch for it, which a fast start makes too small.

    Returns:
        Findings; an empty list says that no rule applies, which is what a good run looks like.

    Raises:
        ValueError: there is no epoch, no `"train.loss"`, curves differ in length, a name is almost
            one of these, a training loss is negative, or `classes` is under 2.
        TypeError: an argument is of another type.

    Example:
        >>> epochs = np.arange(20)
        >>> slow = {"train.loss": 2.3 - 0.001 * epochs}
        >>> for finding in diagnose(slow, classes=10):
        ...     print(finding.name, finding.because, sep=": ")
        rate too low: train.loss is 2.281, without knowledge 2.303; fell in 100 % of the epochs
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
    """Not finite, or far over where it began."""
    bad = ~np.isfinite(c.train)
    if bad.any():
        return finding("diverged", f"train.loss is {c.train[bad][0]} in epoch {bad.argmax() + 1}")
    if c.train[-1] > 1.5 * c.chance:
        return finding(
            "diverged", f"train.loss is {c.train[-1]:.4g}, without knowledge {c.chance:.4g}"
        )
    return None


def flat(c: Curves, sure: bool) -> Finding | None:
    """Hardly fallen at all."""
    last, few = float(c.train[-3:].min()), len(c.train) < (2 if sure else 5)
    if last < 0.95 * c.chance or few or (c.accuracy or 0.0) > 0.9:
        return None
    because = f"train.loss is {last:.4g}, without knowledge {c.chance:.4g}"
    if c.norms is not None and c.norms[-1] <= 1e-6 * np.nanmax(c.norms):
        return finding("dead", f"{because}; train.gradient_norm is {c.norms[-1]:.2g}")
    down = float(np.mean(np.diff(c.train) < 0))
    because += f"; fell in {100 * down:.0f} % of the epochs"
    if c.train.max() > 1.1 * c.chance:
        because = f"{because}; was {c.train.max():.4g}"
        return finding("rate too high", because)
    if down >= 0.8:
        return finding("rate too low", because)
    away = np.abs(c.train - c.chance).max() > 0.02 * c.chance
    return finding("rate too high" if away else "bad start", because)


def bad_start(c: Curves) -> Finding | None:
    """Flat at first, and then it fell."""
    fall = c.chance - c.train[-1]
    late = c.train < c.chance - 0.05 * fall
    epochs = int(late.argmax())
    if epochs < max(2, 0.2 * len(c.train)):
        return None
    because = f"train.loss was {c.train[epochs - 1]:.4g} after {epochs} epochs of {len(c.train)}"
    return finding("bad start", f"{because}, without knowledge {c.chance:.4g}")


def decayed_too_early(c: Curves) -> Finding | None:
    """The loss was falling until the rate dropped."""
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
    because = f"train.loss fell by {before:.2g} an epoch before epoch {drop + 1} and by {after:.2g}"
    return finding("decayed too early", f"{because} after the rate became {c.rates[drop]:.2g}")


def overfit(c: Curves) -> Finding | None:
    """Validation got worse, or is far behind."""
    if c.validation is not None and np.isfinite(c.validation).all():
        window = max(len(c.train) // 10, 3)
        train, held_back = (means(losses, window) for losses in (c.train, c.validation))
        least = int(held_back.argmin())
        risen = held_back[-1] - held_back[least]
        fall = max(c.chance, c.validation[0]) - held_back[least]
        if risen > 0.1 * fall and train[-1] < train[least]:
            because = f"validation.loss was {held_back[least]:.4g} in the {window} epochs from "
            because += f"{least + 1} on and is {held_back[-1]:.4g}, though train.loss has fallen"
            return finding("overfit", because)
    if c.gap is not None and c.gap > 0.1:
        return finding("overfit", f"train.accuracy is {c.gap:.2f} over validation.accuracy")
    return None


def means(losses: np.ndarray, window: int) -> np.ndarray:
    """Of so many neighbouring epochs each."""
    return np.convolve(losses, np.full(window, 1 / window), "valid")


def plateau(c: Curves) -> Finding | None:
    """No progress in the last third, far from 0: by noise, or for want of capacity."""
    last = c.train[-max(len(c.train) // 3, 3) :]
    half = len(last) // 2
    progress = float(last[:half].mean() - last[half:].mean())
    noise = float(np.abs(np.diff(last)).mean())
    if progress > max(0.05 * last.mean(), noise) or last.mean() < 0.05 * c.chance:
        return None
    because = f"the last {len(last)} epochs brought train.loss down by {progress:.2g} to"
    because += f" {last[half:].mean():.4g}, and it changes by {noise:.2g} an epoch"
    decayed = c.rates is not None and c.rates[-1] <= 0.2 * c.rates.max()
    if noise > 0.01 * last.mean() and not decayed:
        return finding("plateau", because)
    if c.validation is not None and c.validation[-1] > 1.1 * c.train[-1]:
        return None
    return finding("underfit", because)


def still_falling(c: Curves) -> Finding | None:
    """The end is not reached."""
    losses = c.train if c.validation is None else c.validation
    fifth = max(len(losses) // 5, 1)
    lately = losses[-1 - fifth] - losses[-1]
    path = np.abs(np.diff(losses[-1 - fifth :])).sum()
    if not lately > max(0.03 * losses[-1], path / 2) or losses[-1] < 0.05 * c.chance:
        return None
    name = "train" if c.validation is None else "validation"
    because = (
        f"the last {fifth} epochs brought {name}.loss down by {lately:.2g} to {losses[-1]:.4g}"
    )
    return finding("still falling", because)
