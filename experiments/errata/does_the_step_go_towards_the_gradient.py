"""Does a step go towards the gradient, and are the first ones without momentum random?

001:14 says that subtracting the gradient from w moves towards that gradient (E-125); on f = w^2 / 2
the cosine between step and gradient and the loss are measured, with the sign as it is and with the
other one. 001:16 calls the first directions without momentum very random (E-129); gradient descent
runs twice from one start on a valley with curvatures 1 and 20, at a rate of 1.5 over the steeper
one, and the signs of its steps across the valley are compared.

Command: python -m experiments --only does_the_step_go_towards_the_gradient      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure, method
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-125", "E-129")


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of every descent; `rate`: on the parabola.

    The valley's rate is `step` over the larger of its `curvatures`, which come along first.
    """

    steps: int = 30
    rate: float = 0.1
    curvatures: tuple[float, float] = (1.0, 20.0)
    step: float = 1.5


SMOKE = Config(steps=10)
FULL = Config(steps=300)


def run(config: Config) -> dict[str, Any]:
    """Descent and ascent on the parabola, and the valley's path twice."""
    parabola, start = surfaces.quadratic(jnp.ones(1)), jnp.ones(1)
    rule = optimizers.gradient_descent(config.rate)
    down = surfaces.trajectory(rule, parabola, start, config.steps)
    towards = (1 + config.rate) ** jnp.arange(config.steps + 1.0)[:, None]
    steps, gradients = jnp.diff(down.points, axis=0), jax.vmap(jax.grad(parabola))(down.points)
    valley = surfaces.quadratic(jnp.array(config.curvatures))
    rate = config.step / config.curvatures[1]
    rule = optimizers.gradient_descent(rate)
    paths = [surfaces.trajectory(rule, valley, jnp.ones(2), config.steps).points for _ in range(2)]
    return {
        "rates": (config.rate, rate),
        "curvatures": config.curvatures,
        "losses": down.losses,
        "ascent": jax.vmap(parabola)(towards),
        "cosine": jnp.sign(steps[:, 0] * gradients[:-1, 0]),
        "path": paths[0],
        "repeated": np.array_equal(*map(np.asarray, paths)),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-125 if every step is opposite to the gradient and only so the loss falls; E-129 if both
    runs are equal bit by bit and each step across the valley turns the one before round."""
    falls = bool(np.all(np.diff(results["losses"]) < 0) and np.all(np.diff(results["ascent"]) > 0))
    opposite = bool(np.all(results["cosine"] == -1))
    across = np.diff(results["path"][:, 1])
    turns = int(np.sum(across[1:] * across[:-1] < 0))
    return [
        demonstration(
            "E-125",
            falls and opposite,
            f"cosine of step and gradient {results['cosine'].mean():.0f} in all "
            f"{len(results['cosine'])} steps: the loss falls to {results['losses'][-1]:.2g}, and "
            f"towards the gradient it grows to {results['ascent'][-1]:.3g}",
            panel="a",
        ),
        demonstration(
            "E-129",
            bool(results["repeated"]) and turns == len(across) - 1,
            f"two runs are equal bit by bit, and across the valley {turns} of {len(across) - 1} "
            "steps turn the one before round: an oscillation, no random number",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The loss with either sign, and the two coordinates of the valley's path."""
    fig, (losses, path) = figure(1, 2, width=5.2, height=4.4)
    (rate, second), (flat, steep) = results["rates"], results["curvatures"]
    losses.semilogy(results["losses"], color=RIGHT, label="against the gradient")
    losses.semilogy(results["ascent"], color=LITERAL, ls="--", label="towards the gradient")
    losses.set(xlabel="step", ylabel="loss $w^2/2$", title=f"the parabola, rate {rate:g}")
    losses.legend()
    look = method("gradient descent") | {"label": f"across, curvature {steep:g}"}
    path.plot(results["path"][:, 1], marker=".", **look)
    path.plot(results["path"][:, 0], color="grey", ls=":", label=f"along, curvature {flat:g}")
    path.set(
        xlabel="step",
        ylabel="coordinate of the weights",
        title=f"a valley without momentum, rate {second:g}",
    )
    path.legend()
    return fig
