"""The curves of a run, from whatever holds them."""

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
    """Curves of one run, one number per epoch; `chance` is the loss without knowledge."""

    train: Float[np.ndarray, " epochs"]
    validation: Float[np.ndarray, " epochs"] | None
    accuracy: float | None
    gap: float | None
    rates: Float[np.ndarray, " epochs"] | None
    norms: Float[np.ndarray, " epochs"] | None
    chance: float


def read_curves(history: Any, classes: int | None) -> Curves:
    """The curves of anything that `diagnose` takes."""
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
        raise TypeError(f"history must be a Fit, a Run, curves or records, got {shown(history)}.")
    if "train.weight" in history:  # NaN in the epochs after a stop
        happened = np.isfinite(np.asarray(curve(history, "train.weight")))
        rows = {name: np.asarray(curve(history, name, len(happened))) for name in history}
        history = {name: values[happened] for name, values in rows.items()}
    train = curve(history, "train.loss")
    if train is None or not len(train):
        names = sorted(map(str, history))
        raise ValueError(f"history must have the curve 'train.loss', got {shown(names)}.")
    check_names(history)
    negative = np.isfinite(train) & (train < -0.01 * np.abs(train[0]))  # not by rounding
    if negative.any():
        raise ValueError(
            "history['train.loss'] must not be negative, as the rules compare losses by their "
            f"ratios, got {train[negative][0]:.4g} in epoch {negative.argmax() + 1}."
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
    """Checks that no curve is misspelt: its rule would find nothing, and say nothing.

    Raises:
        ValueError: one is almost called like one that is missing.
    """
    for name in NAMES:
        for near in difflib.get_close_matches(name, map(str, history), cutoff=0.9):
            if name not in history and near not in NAMES:
                raise ValueError(f"history must call the curve {name!r}, got {near!r}.")


def curve(history: Mapping[str, Any], name: str, length: int | None = None) -> np.ndarray | None:
    """One curve as an array; None if there is none of that name.

    Raises:
        TypeError: it does not hold numbers.
        ValueError: it is no vector, or of another length.
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
            f"history[{name!r}] must have one number per epoch, got shape {values.shape}."
        )
    return values
