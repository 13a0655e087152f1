"""The curves of a run, extracted from any of the objects that hold them."""

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxtricks._checks import check_instance, shown
from jaxtricks.training import Fit, Run

NAMES = (
    "train.loss",
    "validation.loss",
    "train.accuracy",
    "validation.accuracy",
    "train.learning_rate",
    "train.gradient_norm",
)


class Curves(NamedTuple):
    """The curves of one run, one number per epoch.

    Attributes:
        train: training loss.
        validation: validation loss, if given.
        accuracy: training accuracy of the last epoch, if given.
        gap: training minus validation accuracy of the last epoch, if both are given.
        rates: learning rate, if given.
        norms: gradient norm, if given.
        chance: the loss of a model that gives all classes the same probability.
    """

    train: Float[np.ndarray, " epochs"]
    validation: Float[np.ndarray, " epochs"] | None
    accuracy: float | None
    gap: float | None
    rates: Float[np.ndarray, " epochs"] | None
    norms: Float[np.ndarray, " epochs"] | None
    chance: float


def read_curves(history: Any, classes: int | None) -> Curves:
    """Extracts the curves from each kind of argument that `diagnose` accepts.

    Raises:
        TypeError: `history` is of another kind, or a curve does not hold numbers.
        ValueError: as in `diagnose`.
    """
    if isinstance(history, Run):
        parts = {"train": history.train, "validation": history.validation}
        history = {f"{part}.{k}": v for part, curves in parts.items() for k, v in curves.items()}
    elif isinstance(history, Fit):
        history = history.history
    if isinstance(history, Sequence) and not isinstance(history, str):
        for record in history:
            check_instance("history", record, Mapping)
        names = set(history[0]) if history else ()
        history = {name: [record.get(name, np.nan) for record in history] for name in names}
    if not isinstance(history, Mapping):
        raise TypeError(
            "history must be a Fit, a Run, a dict of curves or a list of records, got "
            f"{shown(history)}."
        )
    if "train.weight" in history:  # it is NaN in the epochs after an early stop
        happened = np.isfinite(np.asarray(curve(history, "train.weight")))
        rows = {name: np.asarray(curve(history, name, len(happened))) for name in history}
        history = {name: values[happened] for name, values in rows.items()}
    train = curve(history, "train.loss")
    if train is None or not len(train):
        names = sorted(map(str, history))
        raise ValueError(f"history must have the curve 'train.loss', got {shown(names)}.")
    check_names(history)
    negative = np.isfinite(train) & (train < -0.01 * np.abs(train[0]))  # more than rounding
    if negative.any():
        raise ValueError(
            "history['train.loss'] must not be negative, because the rules compare ratios of "
            f"losses, got {train[negative][0]:.4g} in epoch {negative.argmax() + 1}."
        )
    others = [curve(history, name, len(train)) for name in NAMES[1:]]
    validation, right, validated, rates, norms = others
    accuracy = None if right is None else float(right[-1])
    gap = None if right is None or validated is None else float(right[-1] - validated[-1])
    first = [part[0] for part in (train, validation) if part is not None]
    finite = [loss for loss in first if math.isfinite(loss)]
    chance = math.log(classes) if classes else float(max(finite, default=math.nan))
    return Curves(train, validation, accuracy, gap, rates, norms, chance)


def check_names(history: Mapping[str, Any]) -> None:
    """Checks that no name of a curve is misspelt, since the rules ignore unknown names.

    Raises:
        ValueError: a name is similar to that of a missing curve.
    """
    for name in NAMES:
        for near in difflib.get_close_matches(name, map(str, history), cutoff=0.9):
            if name not in history and near not in NAMES:
                raise ValueError(f"history must call this curve {name!r}, got {near!r}.")


def curve(history: Mapping[str, Any], name: str, length: int | None = None) -> np.ndarray | None:
    """Converts one curve to an array; None if there is no curve of that name.

    Raises:
        TypeError: the curve does not hold numbers.
        ValueError: the curve is not a vector, or has another length.
    """
    if name not in history:
        return None
    try:
        values = np.asarray(history[name], float)
    except (TypeError, ValueError):
        raise TypeError(
            f"history[{name!r}] must hold numbers, got {shown(history[name])}."
        ) from None
    if values.ndim != 1 or (length is not None and len(values) != length):
        raise ValueError(
            f"history[{name!r}] must have one number per epoch, got the shape {values.shape}."
        )
    return values
