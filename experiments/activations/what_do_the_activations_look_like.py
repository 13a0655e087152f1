"""What do the lecture's activations look like, and are sigmoid and tanh like the identity near 0?

Values and slopes as in 002:15-51, maxout as a surface over two pre-activations. The claim of
004:397 is that sigmoid and tanh are nearly linear near 0 with a slope close to 1, which is what
Xavier's derivation needs. Slopes by automatic differentiation; tests hold them to closed forms.

Command: python -m experiments --only what_do_the_activations_look_like      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    convention,
    exactly,
    figure,
    tolerance,
)
from jaxtricks import models, regularizers

FIGURES = ("F-015",)
CLAIMS = ("C-095",)
ERRATA = ("E-49",)

ACTIVATIONS = {
    "sigmoid": nn.sigmoid,
    "tanh": jnp.tanh,
    "ReLU": nn.relu,
    "leaky ReLU": models.leaky_relu,
    "ELU": nn.elu,
}
NEAR = 0.5  # of 0
PLANS = {"C-095": Plan({"slope": 0.25}, ("identity",), {"near": NEAR})}


@dataclasses.dataclass(frozen=True)
class Config:
    """`points` between -`reach` and `reach`, an odd number, so that 0 is one."""

    points: int = 401
    reach: float = 5.0


SMOKE = Config(points=41)
FULL = Config(points=4001)


def run(config: Config) -> dict[str, Any]:
    """Values and slopes of each, and maxout of two pieces on a grid."""
    x = jnp.linspace(-config.reach, config.reach, config.points)
    curves = {
        name: {"value": f(x), "slope": jax.vmap(jax.grad(f))(x)} for name, f in ACTIVATIONS.items()
    }
    pair = jnp.linspace(-config.reach, config.reach, 41)
    inputs = jnp.stack(jnp.meshgrid(pair, pair), axis=-1)
    pieces = {"kernel": jnp.eye(2)[:, :, None], "bias": jnp.zeros((2, 1))}  # the two inputs
    surface = regularizers.Maxout(1, pieces=2).apply({"params": pieces}, inputs)
    return {
        "x": x,
        "curves": curves,
        "leaky": {str(slope): models.leaky_relu(x, slope=slope) for slope in (0.1, 0.01)},
        "pair": pair,
        "maxout": jnp.asarray(surface)[..., 0],
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-095 by the slopes within 0.5 of 0; E-49 is a convention."""
    near, close = np.abs(results["x"]) <= NEAR, PLANS["C-095"].effects["slope"]
    parts = [
        tolerance(
            f"slope of {name} within {NEAR} of 0",
            [exactly(slope) for slope in results["curves"][name]["slope"][near]],
            target=1.0,
            within=close,
            panel=panel,
        )
        for name, panel in (("sigmoid", "a"), ("tanh", "b"))
    ]
    line = results["curves"]["ReLU"]["slope"][results["x"] > 0]  # the identity's half
    gate = Gate("identity", bool(np.all(line == 1)), f"slope {line.mean():g} where it is one")
    below = results["x"] < 0
    ratio = results["leaky"]["0.1"][below] / results["leaky"]["0.01"][below]
    return [
        all_of("C-095", parts, gates=[gate], scope=f"{near.sum()} points, float32"),
        convention("E-49", f"below 0, slope 0.1 over 0.01: {ratio.mean():.3g}"),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Value and slope of each, the two leaky slopes, and maxout."""
    fig, axes = figure(2, 3, width=4.5, height=3.3)
    x = results["x"]
    for panel, (name, curve) in zip(axes, results["curves"].items(), strict=False):
        panel.plot(x, curve["value"], color=COLOURS[0], label="value")
        panel.plot(x, curve["slope"], color=COLOURS[1], linestyle="--", label="slope")
        panel.set(title=name, xlabel="pre-activation", ylim=(-1.3, 2.2), xticks=range(-4, 5, 2))
    for panel in axes[:2]:
        panel.axvspan(-NEAR, NEAR, color="grey", alpha=0.2, lw=0, label=f"within {NEAR} of 0")
    leaky = axes[list(ACTIVATIONS).index("leaky ReLU")]
    (small,) = leaky.plot(
        x, results["leaky"]["0.01"], color=COLOURS[2], ls=":", label="value with slope 0.01"
    )
    axes[0].legend(loc="upper left")
    leaky.legend(handles=[small], loc="lower right")
    for panel in (axes[0], axes[3]):
        panel.set_ylabel("value, slope")
    draw_maxout(axes[5], results)
    return fig


def draw_maxout(flat: Axes, results: dict[str, Any]) -> None:
    """A surface over the two pieces in the place of a flat panel: two planes meet at y = x."""
    place, letter = flat.get_subplotspec(), flat.get_title(loc="left")
    fig = flat.figure
    flat.remove()
    panel = fig.add_subplot(place, projection="3d")
    panel.set_title(letter, loc="left", fontweight="bold")
    first, second = np.meshgrid(results["pair"], results["pair"])
    panel.plot_surface(first, second, results["maxout"], cmap="viridis", rstride=2, cstride=2)
    panel.plot(results["pair"], results["pair"], results["pair"], color="black", zorder=9)
    panel.set(title="maxout of two pieces", xlabel="first piece", ylabel="second piece")
    panel.set_zlabel("value")
    panel.set(xticks=(-4, 0, 4), yticks=(-4, 0, 4), zticks=(-4, 0, 4))
    panel.view_init(elev=25, azim=-75)
    panel.set_box_aspect((1, 1, 0.7), zoom=1.2)
