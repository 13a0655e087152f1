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


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: a multiple of `every`, the steps from one update of the rare weight to the next.

    `small`: the gradient of the frequent weight; the sums are equal if its square is 1 / `every`.
    """

    steps: int = 2000
    every: int = 100
    small: float = 0.1


SMOKE = Config(steps=200)
FULL = Config(steps=20_000)


def run(config: Config) -> dict[str, Any]:
    """Sums of squares and effective rates of the frequent weight and of the rare one."""
    step = jnp.arange(1, config.steps + 1)
    rare = jnp.where(step % config.every == 0, 1.0, 0.0)
    gradients = jnp.stack([jnp.full(step.shape, config.small), rare])
    sums = jnp.cumsum(gradients**2, axis=1)
    rates = jax.vmap(lambda squares: effective_learning_rate(1.0, squares))(sums)
    return {
        "every": config.every,
        "small": config.small,
        "sums": sums,
        "rates": rates,
        "updates": jnp.sum(gradients != 0, axis=1),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-130 if the sums end equal (1e-5) though the numbers of updates are 100 times apart."""
    often, rarely = results["sums"][:, -1]
    many, few = map(int, results["updates"])
    return [
        demonstration(
            "E-130",
            bool(np.isclose(often, rarely, rtol=1e-5)) and many == results["every"] * few,
            f"{many} updates by gradients of {results['small']} and {few} of 1 leave the same sum "
            f"of squares, {often:.3g} and {rarely:.3g}: it is frequency times mean squared size",
            panel="a",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both sums and both rates."""
    fig, (sums, rates) = figure(1, 2, width=5.2, height=4.3)
    step = np.arange(1, results["sums"].shape[1] + 1)
    labels = (
        f"gradient {results['small']} at every step",
        f"gradient 1 at every {results['every']}th step",
    )
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
