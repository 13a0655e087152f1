"""Does one symbol mean one thing in the notes?

No: rho is a momentum (002:229), RMSProp's decay (004:229) and both of Adam's (004:242-251); beta a
momentum (001:12), the shift of batch norm (002:102) and L2's weight in an elastic net (002:638);
and so on (E-48). In code an argument has a name. For each meaning the picture names the function
that takes it and the argument by which it does, and `run` looks each one up in the function's
signature, so that a name that is not there cannot be printed.

Command: python -m experiments --only does_one_symbol_mean_one_thing      (CPU, about 1 s)
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, convention, figure
from jaxtricks import data, initializers, normalization, optimizers, regularizers

FIGURES = ()
ERRATA = ("E-48",)

Row = tuple[str, str, Callable[..., Any], str]  # meaning, notes, function, argument
SYMBOLS: dict[str, tuple[Row, ...]] = {
    "ρ": (
        ("momentum", "002:229", optimizers.momentum, "decay"),
        ("decay of RMSProp", "004:229", optimizers.rmsprop, "decay"),
        ("Adam's first decay", "004:242", optimizers.adam, "b1"),
        ("Adam's second decay", "004:249", optimizers.adam, "b2"),
    ),
    "β": (
        ("momentum", "001:12", optimizers.momentum, "decay"),
        ("Adam's first decay", "002:478", optimizers.adam, "b1"),
        ("shift of batch norm", "002:102", normalization.BatchNorm, "use_bias"),
        ("weight of L2, elastic net", "002:638", regularizers.elastic_net, "ratio"),
    ),
    "α": (
        ("learning rate", "002:204", optimizers.momentum, "learning_rate"),
        ("slope of ELU", "002:49", jax.nn.elu, "alpha"),
        ("Beta distribution of Mixup", "002:919", jax.random.beta, "a"),
    ),
    "p": (
        ("probability of dropping", "004:684", regularizers.dropout, "rate"),
        ("keeping: 1 minus that", "002:737", regularizers.dropout, "rate"),
    ),
    "N": (
        ("examples of a batch", "002:70", data.epoch_order, "batch_size"),
        ("examples of the data set", "002:628", data.epoch_order, "size"),
        ("inputs of a unit", "004:344", initializers.fans, "shape"),
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Nothing to vary."""


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """By symbol: meaning, notes, and the argument as the function's own signature has it."""
    del config
    return {"symbols": {name: [found(row) for row in rows] for name, rows in SYMBOLS.items()}}


def found(row: Row) -> list[str]:
    """Raises `KeyError` if the function has no such argument."""
    meaning, notes, function, argument = row
    name = inspect.signature(function).parameters[argument].name
    return [meaning, notes, f"{function.__name__}({name}=)"]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Names only: nothing is judged."""
    lines = [
        f"{symbol}: " + ", ".join(f"{meaning} ({notes}) is {ours}" for meaning, notes, ours in rows)
        for symbol, rows in results["symbols"].items()
    ]
    return [convention("E-48", *lines)]


def draw(results: dict[str, Any]) -> Figure:
    """A line for each meaning, in the colour of its symbol."""
    rows = [(symbol, *row) for symbol, every in results["symbols"].items() for row in every]
    fig, (axes,) = figure(1, 1, width=9.0, height=0.34 * len(rows) + 0.6)
    symbols = list(results["symbols"])
    columns = ((0.0, "symbol"), (0.1, "meaning"), (0.48, "notes"), (0.6, "here"))
    for x, head in columns:
        axes.text(x, -1.0, head, va="center", fontweight="bold")
    for y, (symbol, *cells) in enumerate(rows):
        colour = COLOURS[symbols.index(symbol)]
        axes.plot(0.07, y, "s", ms=9, color=colour)
        first = y == 0 or rows[y - 1][0] != symbol
        for (x, _), text in zip(columns, (symbol if first else "", *cells), strict=True):
            axes.text(x, y, text, va="center", family="monospace" if x == 0.6 else None)
    axes.set(xlim=(-0.02, 1.0), ylim=(len(rows) - 0.4, -1.6), xticks=[], yticks=[])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    return fig
