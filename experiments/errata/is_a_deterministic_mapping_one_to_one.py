"""Is a deterministic mapping one to one?

001:113 says that in a deterministic mapping inputs and outputs correspond one to one (E-128). The
square is deterministic: equal inputs give outputs that are equal bit by bit. It has no inverse all
the same, as -x and x share their output.

Command: python -m experiments --only is_a_deterministic_mapping_one_to_one      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-128",)


@dataclasses.dataclass(frozen=True)
class Config:
    """`inputs` from 0 to 2, and their mirror images."""

    inputs: int = 100


SMOKE = Config(inputs=10)
FULL = Config(inputs=10_000)


def run(config: Config) -> dict[str, Any]:
    """The squares of all inputs, computed twice."""
    right = 2 * jnp.arange(1, config.inputs + 1) / config.inputs
    x = jnp.concatenate([-right[::-1], right])
    square = jax.jit(lambda x: x**2)
    return {"x": x, "square": square(x), "again": square(x)}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-128 if both times the outputs are equal, and each belongs to two inputs."""
    outputs = np.asarray(results["square"])
    same = np.array_equal(outputs, results["again"])
    shared = int(np.sum(outputs == outputs[::-1]))
    return [
        demonstration(
            "E-128",
            same and shared == len(outputs),
            f"the squares of {len(outputs)} inputs are the same bit by bit when they are computed "
            f"again, and {shared} of them are the square of another input too",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The parabola, and two inputs with one output."""
    fig, (axes,) = figure(1, 1, width=6, height=4.4)
    axes.plot(results["x"], results["square"], color=RIGHT)
    axes.plot([-1, 1], [1, 1], "o--", color=LITERAL, label="two inputs, one output")
    axes.set(xlabel="$x$", ylabel="$x^2$", title="one output for each input, and no way back")
    axes.legend()
    return fig
