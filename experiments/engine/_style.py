"""One look for all figures: the same method has the same colour, line and marker everywhere.

Any two of the nine colours can be told apart with normal sight and by deuteranopes and protanopes,
and all stand out from white. They follow the lecture's animations: gradient descent red, momentum
green, Nesterov purple.
"""

import math
import re
import string
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib
from numpy.typing import ArrayLike

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import colormaps  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

Dashes = str | tuple[int, tuple[int, ...]]


class Look(NamedTuple):
    """Colour, line style and marker of a method."""

    color: str
    linestyle: Dashes
    marker: str


METHODS = {
    "gradient descent": Look("#b73507", "-", "o"),
    "momentum": Look("#067560", (0, (6, 1)), "s"),
    "nesterov": Look("#6c1966", (0, (4, 1, 1, 1)), "D"),
    "adagrad": Look("#2094ef", "-", "^"),
    "adadelta": Look("#f66921", (0, (2, 1)), "v"),
    "rmsprop": Look("#761321", (0, (6, 1, 1, 1, 1, 1)), "P"),
    "adam": Look("#5107f9", (0, (8, 2)), "X"),
    "adam to sgd": Look("#0aa69e", (0, (3, 2)), "*"),
    "swats": Look("#f72f81", (0, (1, 1)), "h"),
}

# For what has no order and is no method: layers, data sets, forms.
COLOURS = ("#2094ef", "#b73507", "#067560", "#6c1966", "#f66921", "#5107f9", "#0aa69e", "#f72f81")
LITERAL, RIGHT = "#b73507", "#2094ef"  # the printed form of an erratum, and the right one

# The values that an ordered hyper-parameter takes in the pictures, on a scale where equal steps
# look alike: one value, one colour, everywhere.
SCALES: dict[str, Callable[[float], float]] = {
    "decay": lambda value: -math.log10(1 - min(value, 0.9999)) / 4,  # 0 ... 0.9999
    "learning rate": lambda value: (math.log10(value) + 6) / 7,  # 1e-6 ... 10
    "batch size": lambda value: math.log2(value) / 12,  # 1 ... 4096
    "width": lambda value: math.log2(value) / 11,  # 1 ... 2048
    "depth": lambda value: math.log2(value) / 6,  # 1 ... 64
    "condition number": lambda value: math.log10(value) / 4,  # 1 ... 10,000
}
DATA_SETS = {"mnist": "MNIST", "cifar10": "CIFAR-10", "digits": "digits"}

LETTERS = string.ascii_lowercase
FORMULA, GLUE = re.compile(r"\$[^$]+\$"), "\N{NO-BREAK SPACE}"
SEQUENTIAL = 0.6  # share of the map that stands out from white

RC = {
    "figure.dpi": 110,
    "savefig.dpi": 220,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "jaxtricks",
}


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 5.0, height: float = 4.0, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `rows` x `columns` panels of `width` x `height` inches, and its axes in order.

    Where there are several, each has its letter, to which the parts of a verdict refer.
    """
    with plt.rc_context(RC):
        fig, axes = plt.subplots(
            rows, columns, figsize=(width * columns, height * rows), squeeze=False, **subplots
        )
        if axes.size > 1:
            for letter, panel in zip(LETTERS, axes.flat, strict=False):
                panel.set_title(letter, loc="left", fontweight="bold")
    return fig, list(axes.flat)


def caption(figure: Figure, question: str, findings: Sequence[str]) -> None:
    """Puts the question above a picture, letters before the titles, and what was found below."""
    inches = figure.get_figwidth()
    figure.suptitle(wrapped(question, int(8.5 * inches)), fontsize=14, fontweight="bold")
    for axes in figure.axes:
        letter, title = axes.get_title(loc="left"), axes.get_title()
        if letter and letter in LETTERS and title:
            grid = axes.get_subplotspec()
            columns = grid.get_gridspec().ncols if grid else 1
            width = int(10.5 * inches / columns) - 8
            lines = [wrapped(line, width) for line in title.split("\n")]
            axes.set_title("")
            text = "\n".join(lines)
            axes.set_title(rf"$\bf{{{letter}}}$  {text}", loc="left", fontweight="normal")
    if findings:
        lines = "\n".join(wrapped(line, int(11.5 * inches)) for line in findings)
        figure.supxlabel(lines, fontsize=11, x=0.01, ha="left")


def wrapped(text: str, width: int) -> str:
    """Lines of at most `width` characters; a formula between dollars stays on one.

    Example:
        >>> wrapped("the law $a + b$ holds", 12)
        'the law\\n$a + b$\\nholds'
    """
    whole = FORMULA.sub(lambda found: found[0].replace(" ", GLUE), text)
    return textwrap.fill(whole, width).replace(GLUE, " ")


def ordered(scale: str, value: float) -> tuple[float, float, float, float]:
    """The colour of a value of an ordered hyper-parameter, from dark blue to green.

    Args:
        scale: which, a key of `SCALES`: "decay", "learning rate", "batch size", "width", "depth",
            "condition number".
        value: the value; beyond the scale it has the colour of its end.
    """
    return colormaps["viridis"](SEQUENTIAL * min(1.0, max(0.0, SCALES[scale](value))))


def data_name(name: str) -> str:
    """How a data set is spelled in pictures and scopes: "MNIST" for "mnist"."""
    return DATA_SETS.get(name, name)


def method(name: str) -> dict[str, Any]:
    """Keyword arguments of `Axes.plot` for a method, with its name as the label."""
    look = METHODS[name]
    return {"color": look.color, "linestyle": look.linestyle, "label": name}


def band(axes: Axes, x: ArrayLike, mean: ArrayLike, low: ArrayLike, high: ArrayLike, **style: Any):
    """Draws a mean line with its interval over the seeds as a band."""
    axes.plot(x, mean, **style)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)
