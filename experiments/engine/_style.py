"""One look for all figures: the same method has the same colour, line and marker everywhere.

The colours are Okabe and Ito's, safe for colour-blind readers, and follow the lecture's animations:
gradient descent red, momentum green, Nesterov purple.
"""

from typing import Any, NamedTuple

import matplotlib
from numpy.typing import ArrayLike

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


class Look(NamedTuple):
    """Colour, line style and marker of a method."""

    color: str
    linestyle: str
    marker: str


METHODS = {
    "gradient descent": Look("#D55E00", "-", "o"),
    "momentum": Look("#009E73", "-", "s"),
    "nesterov": Look("#CC79A7", "-", "D"),
    "adagrad": Look("#0072B2", "-", "^"),
    "adadelta": Look("#E69F00", "-", "v"),
    "rmsprop": Look("#000000", "-", "P"),
    "adam": Look("#56B4E9", "-", "X"),
    "adam to sgd": Look("#7F7F7F", "--", "*"),
    "swats": Look("#7F7F7F", ":", "h"),
}

# For the values of one hyper-parameter, seeds, or the literal and the right form of an erratum.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
LITERAL, RIGHT = "#D55E00", "#0072B2"

RC = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "jaxtricks",
}


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 4.2, height: float = 3.3, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `rows` x `columns` panels of `width` x `height` inches, and its axes in order."""
    with plt.rc_context(RC):
        fig, axes = plt.subplots(
            rows, columns, figsize=(width * columns, height * rows), squeeze=False, **subplots
        )
    return fig, list(axes.flat)


def method(name: str) -> dict[str, str]:
    """Keyword arguments of `Axes.plot` for a method, with its name as the label."""
    look = METHODS[name]
    return {"color": look.color, "linestyle": look.linestyle, "label": name}


def band(axes: Axes, x: ArrayLike, mean: ArrayLike, low: ArrayLike, high: ArrayLike, **style: str):
    """Draws a mean line with its interval over the seeds as a band."""
    axes.plot(x, mean, **style)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)
