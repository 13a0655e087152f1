"""Have all saddles curvatures of both signs?

004:260 defines a saddle by a Hessian with eigenvalues of both signs, which is enough and not
necessary (E-132). Measured in float64: gradient, Hessian and the loss along lines at the zero start
of a linear net of three layers, f = (w3 w2 w1 - 1)^2 / 2, and at the monkey saddle x^3 - 3 x y^2.

Command: python -m experiments --only have_all_saddles_curvatures_of_both_signs   (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, demonstration, figure

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-132",)


def net(w: jax.Array) -> jax.Array:
    """Three layers of one linear unit, fitted to 1."""
    return (w[2] * w[1] * w[0] - 1) ** 2 / 2


def monkey(w: jax.Array) -> jax.Array:
    return w[0] ** 3 - 3 * w[0] * w[1] ** 2


SURFACES = {"a net of three layers": (net, 3), "the monkey saddle": (monkey, 2)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`points` of a line through 0, from -`reach` to `reach`."""

    points: int = 101
    reach: float = 0.8


SMOKE = Config(points=11)
FULL = Config(points=1001)


def run(config: Config) -> dict[str, Any]:
    """Gradient, eigenvalues and the loss along a line through 0, of each."""
    along = np.linspace(-config.reach, config.reach, config.points)
    found: dict[str, Any] = {"along": along}
    with jax.enable_x64(True):
        for name, (f, size) in SURFACES.items():
            zero, way = jnp.zeros(size), jnp.ones(size) if size == 3 else jnp.array([1.0, 0.0])
            found[name] = {
                "gradient": jnp.abs(jax.grad(f)(zero)).max(),
                "curvature": jnp.abs(jnp.linalg.eigvalsh(jax.hessian(f)(zero))).max(),
                "loss": jax.vmap(lambda t, f=f, way=way: f(t * way))(jnp.asarray(along)) - f(zero),
            }
    return found


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-132 if gradient and eigenvalues are 0 and the loss is lower one way, higher the other."""
    shown, texts = True, []
    for name in SURFACES:
        found = results[name]
        low, high = found["loss"].min(), found["loss"].max()
        shown &= bool(found["gradient"] == 0 and found["curvature"] == 0 and low < 0 < high)
        texts.append(f"{name}: all eigenvalues 0, loss {low:.2g} one way and +{high:.2g} the other")
    return [demonstration("E-132", shown, "; ".join(texts), panel="a and b")]


def draw(results: dict[str, Any]) -> Figure:
    """The loss along one line through each."""
    fig, panels = figure(1, 2, height=4.3)
    formulas = ("$(w_3w_2w_1-1)^2/2$", "$x^3-3xy^2$")
    for axes, name, colour, formula in zip(panels, SURFACES, COLOURS, formulas, strict=False):
        axes.plot(results["along"], results[name]["loss"], color=colour)
        axes.axhline(0, color="grey", lw=1)
        axes.plot(0, 0, "k+", ms=12, mew=2)
        axes.annotate("saddle", (0, 0), (0, 14), textcoords="offset points", ha="center")
        axes.set(xlabel="way through the saddle", ylabel="loss minus the saddle's")
        axes.set_title(f"{name}, {formula}")
    return fig
