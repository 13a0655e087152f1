"""Is zig-zag caused by features of different scales?

The lecture says usually (004:171), and means that the gradients of different weights have different
ranges. Measured on linear regression of the four tables that come with scikit-learn, raw, centred,
and standardised (each with an intercept), float64: the condition number of the Hessian (its largest
eigenvalue over the smallest that is not zero), and the flips, that is how often a weight's gradient
changes sign in 100 steps at 95 % of the largest stable rate. The standardised target and the start
at zero are the same for all three.

Command: python -m experiments --only do_unscaled_features_cause_zigzag      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, draw_path, draw_surface, figure, surface_grid
from experiments.engine.before import Verdict, combine, exact
from jaxtricks import optimizers, surfaces
from jaxtricks.data import standardize

CLAIMS = ("C-025",)
FORMS = ("raw", "centred", "standardised")
PICTURED, PAIR = "wine", (0, 12)  # alcohol in percent by volume, proline in mg / l


@dataclasses.dataclass(frozen=True)
class Config:
    """`fraction`: the rate as a share of 2 / L; eigenvalues under `cut` x L count as zero."""

    tables: tuple[str, ...] = ("wine", "breast cancer", "diabetes", "digits")
    fraction: float = 0.95
    steps: int = 100
    cut: float = 1e-13


SMOKE = Config(tables=("wine",), steps=30)
FULL = Config(steps=2000)


def read_table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in the units of the table, and a standardised target (the label, if classes)."""
    from sklearn import datasets

    readers = {
        "wine": datasets.load_wine,
        "breast cancer": datasets.load_breast_cancer,
        "diabetes": lambda **how: datasets.load_diabetes(scaled=False, **how),
        "digits": datasets.load_digits,
    }
    inputs, target = readers[name](return_X_y=True)
    target = np.asarray(target, np.float64)
    return np.asarray(inputs, np.float64), (target - target.mean()) / target.std()


def forms_of(inputs: np.ndarray) -> np.ndarray:
    """The table raw, centred and standardised, each with a column of ones."""
    scale = standardize(inputs)
    three = np.stack([inputs, inputs - np.asarray(scale.mean), scale.apply(inputs)])
    return np.concatenate([np.ones_like(three[..., :1]), three], axis=-1)


def run(config: Config) -> dict[str, Any]:
    """Condition number, flips and loss left for each table and form; two weights' paths."""
    with jax.enable_x64(True):
        tables = {name: measure(*read_table(name), config) for name in config.tables}
        pictures = {form: picture(form, config) for form in ("raw", "standardised")}
    return {
        "tables": tables,
        "pictures": pictures,
        "steps": config.steps,
        "data_set": "scikit-learn's tables",
    }


def measure(inputs: np.ndarray, target: np.ndarray, config: Config) -> dict[str, Any]:
    """One table in its three forms."""
    forms = forms_of(inputs)
    values = np.linalg.eigvalsh(np.swapaxes(forms, 1, 2) @ forms / len(target))
    largest = values[:, -1:]
    smallest = np.min(np.where(values > config.cut * largest, values, np.inf), axis=1)
    best = forms[2] @ np.linalg.lstsq(forms[2], target)[0]  # the same for all three forms
    least = 0.5 * np.mean((best - target) ** 2)

    def one(inputs: jax.Array, limit: jax.Array) -> tuple[jax.Array, ...]:
        surface = surfaces.least_squares(inputs, jnp.asarray(target))
        rule = optimizers.gradient_descent(config.fraction * limit)
        path = surfaces.trajectory(rule, surface.loss, jnp.zeros(inputs.shape[1]), config.steps)
        moving = jnp.any(path.gradients != 0, axis=0)  # a pixel that is always 0 has no gradient
        flips = jnp.mean(path.gradients[1:] * path.gradients[:-1] < 0, axis=0)
        left = (path.losses[-1] - least) / (path.losses[0] - least)
        return jnp.sum(flips * moving) / jnp.sum(moving), jnp.max(flips), left

    flips, most_flips, left = jax.jit(jax.vmap(one))(forms, 2 / largest[:, 0])
    conditions = largest[:, 0] / smallest
    return {"conditions": conditions, "flips": flips, "most_flips": most_flips, "left": left}


def picture(form: str, config: Config) -> dict[str, Any]:
    """Loss and path of the weights of two features of one table, without intercept.

    Each axis is in units of the distance from the start to the optimum.
    """
    inputs, target = read_table(PICTURED)
    two = forms_of(inputs[:, PAIR])[{"raw": 1, "standardised": 2}[form]][:, 1:]
    rate = config.fraction * 2 / np.linalg.eigvalsh(two.T @ two / len(two))[-1]
    optimum = np.linalg.lstsq(two, target)[0]

    def loss(weights: jax.Array) -> jax.Array:
        return surfaces.least_squares(jnp.asarray(two), jnp.asarray(target))(weights)

    def descend(rate: jax.Array) -> jax.Array:
        rule = optimizers.gradient_descent(rate)
        return surfaces.trajectory(rule, loss, jnp.zeros(2), min(config.steps, 40)).points

    path = np.asarray(jax.jit(descend)(rate))
    right, top = 1.3 * np.max(np.abs(np.vstack([path, optimum])), axis=0)
    return {
        "grid": surface_grid(loss, ((-right, right), (-top, top))),
        "path": path,
        "optimum": optimum,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if in three quarters of the tables standardising does both of two things.

    The condition number falls to a tenth or less, and the mean flips to a half or less.
    """
    tables = results["tables"]
    conditions, flips, most, left = (
        np.array([row[key] for row in tables.values()])[:, [0, 2]]
        for key in ("conditions", "flips", "most_flips", "left")
    )
    rounder, calmer = conditions[:, 1] <= conditions[:, 0] / 10, flips[:, 1] <= flips[:, 0] / 2
    listed = {
        key: "; ".join(
            f"{name} {a:.2g} to {b:.2g}" for name, (a, b) in zip(tables, values, strict=True)
        )
        for key, values in (("kappa", conditions), ("flips", flips), ("most", most), ("left", left))
    }
    text = f"standardising cuts the condition number to a tenth in {rounder.sum()} of {len(tables)}"
    parts = [exact("C-025", np.mean(rounder) >= 0.75, f"{text} tables: {listed['kappa']}")]
    text = (
        f"it halves the flips per step and weight in {calmer.sum()}: {listed['flips']} (the weight "
        f"that flips most: {listed['most']}); excess loss left after {results['steps']:.0f} "
        f"steps: {listed['left']}"
    )
    return [combine("C-025", [*parts, exact("C-025", np.mean(calmer) >= 0.75, text)])]


def draw(results: dict[str, Any]) -> Figure:
    """Two weights' paths before and after; condition numbers, flips and loss left."""
    fig, axes = figure(2, 3, width=4.5, height=3.4)
    for panel, (form, shown) in zip(axes, results["pictures"].items(), strict=False):
        names = ("weight of alcohol", "weight of proline")
        draw_surface(
            panel, shown["grid"], start=shown["path"][0], optimum=shown["optimum"], names=names
        )
        draw_path(panel, shown["path"], "gradient descent")
        units = "in the table's units" if form == "raw" else "standardised"
        panel.set_title(f"wine, features {units}: {len(shown['path']) - 1} steps")
        panel.legend(loc="upper right")
    draw_bars(axes[2], results, "conditions", "condition number of the Hessian")
    axes[2].set(yscale="log", ylim=(1e1, 1e15))
    axes[2].set_title("least squares, real tables")
    draw_bars(axes[3], results, "flips", "sign flips per step, mean over the weights")
    draw_bars(axes[4], results, "most_flips", "sign flips per step of the weight with most")
    draw_bars(axes[5], results, "left", "share of the excess loss left")
    axes[5].set(yscale="log", ylim=(1e-6, 1e1))
    for panel in axes[3:]:
        panel.set_title(f"{results['steps']:.0f} steps at 95 % of the stable rate")
    for panel in axes[3:5]:
        panel.set_ylim(0, 1.2)
    for panel in axes[2:]:
        panel.legend(loc="upper right", ncols=3, columnspacing=1.0)
    return fig


def draw_bars(axes: Axes, results: dict[str, Any], key: str, label: str) -> None:
    """Three bars a table."""
    for offset, (form, colour) in enumerate(zip(FORMS, COLOURS, strict=False)):
        heights = [row[key][offset] for row in results["tables"].values()]
        places = np.arange(len(heights)) + 0.27 * (offset - 1)
        axes.bar(places, heights, 0.25, color=colour, label=form)
    names = [name.replace(" ", "\n") for name in results["tables"]]
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel(label)
