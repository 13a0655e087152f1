"""Does AdaGrad's sum of squares count how often a weight was updated?

004:200 says so (E-130). Two weights: one has a gradient of 0.1 at every step, the other of 1 at
every hundredth. Their updates are a hundred times as frequent one as the other; compared are the
sums of squares that AdaGrad keeps, and the learning rates that they leave.

Command: python -m experiments --only what_does_the_sum_of_squares_count      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, demonstration, figure
from jaxtricks.optimizers import effective_learning_rate

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-130",)
EVERY, SMALL = 100, 0.1


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: a multiple of 100."""

    steps: int = 2000


SMOKE = Config(steps=200)
FULL = Config(steps=20_000)


def run(config: Config) -> dict[str, Any]:
    """Sums of squares and effective rates of the frequent weight and of the rare one."""
    step = jnp.arange(1, config.steps + 1)
    gradients = jnp.stack([jnp.full(step.shape, SMALL), jnp.where(step % EVERY == 0, 1.0, 0.0)])
    sums = jnp.cumsum(gradients**2, axis=1)
    rates = jax.vmap(lambda squares: effective_learning_rate(1.0, squares))(sums)
    return {"sums": sums, "rates": rates, "updates": jnp.sum(gradients != 0, axis=1)}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-130 if the sums end equal (1e-5) though the numbers of updates are 100 times apart."""
    often, rarely = results["sums"][:, -1]
    many, few = map(int, results["updates"])
    return [
        demonstration(
            "E-130",
            bool(np.isclose(often, rarely, rtol=1e-5)) and many == EVERY * few,
            f"{many} updates by gradients of {SMALL} and {few} of 1 leave the same sum of squares, "
            f"{often:.3g} and {rarely:.3g}: it is frequency times mean squared size",
            panel="a",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both sums and both rates."""
    fig, (sums, rates) = figure(1, 2, width=5.2, height=4.3)
    step = np.arange(1, results["sums"].shape[1] + 1)
    labels = (f"gradient {SMALL} at every step", f"gradient 1 at every {EVERY}th step")
    for i, (colour, line) in enumerate(zip(COLOURS[:2], ("-", "--"), strict=True)):
        sums.plot(step, results["sums"][i], color=colour, ls=line, label=labels[i])
        seen = results["sums"][i] > 0
        rates.loglog(step[seen], results["rates"][i][seen], color=colour, ls=line)
    sums.set(xlabel="step", ylabel="sum of squares", title="what AdaGrad adds up")
    rates.set(
        xlabel="step", ylabel="effective learning rate", title="what it leaves of a rate of 1"
    )
    sums.legend()
    rates.yaxis.set_major_formatter("{x:g}")
    rates.xaxis.set_major_formatter("{x:g}")
    return fig
