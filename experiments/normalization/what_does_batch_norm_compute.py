"""What does batch norm compute, can it give its input back, and does it make a Gaussian?

A walk through Algorithm 1 (004:466-491) on four examples with two features, every number printed.
Its scale and bias can restore the input (002:99): gamma = sqrt(var + eps), beta = mean. And "it
makes a Gaussian" (004:433): it matches two moments, so two peaks stay two peaks; the excess
kurtosis, 0 for a Gaussian and -2 for two equal peaks, is measured before and after.

Command: python -m experiments --only what_does_batch_norm_compute      (CPU, about 3 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    convention,
    demonstration,
    equivalent,
    exactly,
    figure,
    interval,
    mean,
    tolerance,
)
from jaxtricks import probes
from jaxtricks.normalization import BatchNorm, undo_batch_norm

FIGURES = ("F-050",)
CLAIMS = ("C-111", "C-112")
ERRATA = ("E-51", "E-77")

PLANS = {
    "C-111": Plan({"restored": 1e-6}, ("scale 1 fails",)),
    "C-112": Plan({"kurtosis": 0.5}, ("Gaussian input",)),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples` of the distribution with two peaks, at -1 and 1, `width` wide.

    `batch`: the rows of the walk, whose two features are scaled by `gamma` and shifted by `beta`.
    `eps`: is added to every variance.
    """

    batch: tuple[tuple[float, float], ...] = (1.0, 10.0), (2.0, 30.0), (3.0, 20.0), (6.0, 40.0)
    gamma: tuple[float, float] = (2.0, 0.5)
    beta: tuple[float, float] = (0.0, 1.0)
    eps: float = 1e-5
    width: float = 0.05
    examples: int = 2000
    seeds: int = 10
    seed: int = 15_112


SMOKE = Config(examples=50, seeds=2)
FULL = Config(examples=100_000, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Every line of the algorithm; the restored batch; kurtosis and values before and after."""
    layer = BatchNorm(eps=config.eps)
    x, gamma, beta = (jnp.array(rows) for rows in (config.batch, config.gamma, config.beta))
    mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
    stats = {"mean": jnp.zeros(2), "var": jnp.ones(2)}

    def output(params: Any, x: jax.Array) -> jax.Array:
        given = {"params": params, "batch_stats": stats}
        return layer.apply(given, x, train=True, mutable=["batch_stats"])[0]

    one = {"scale": jnp.ones(2), "bias": jnp.zeros(2)}

    def peaks(key: jax.Array) -> tuple[jax.Array, ...]:
        keys = jax.random.split(key, 3)
        side = jax.random.rademacher(keys[0], (config.examples, 2), jnp.float32)
        x = side + config.width * jax.random.normal(keys[1], side.shape)
        y = output(one, 3 * x + 5)
        z = output(one, jax.random.normal(keys[2], side.shape))
        kurtosis = [probes.statistics(values[:, 0]).excess_kurtosis for values in (x, y, z)]
        return jnp.stack(kurtosis), x[:, 0], y[:, 0]

    kurtosis, before, after = jax.jit(lambda keys: jax.lax.map(peaks, keys))(
        jax.random.split(jax.random.key(config.seed), config.seeds)
    )
    return {
        "x": x, "gamma": gamma, "beta": beta, "eps": config.eps,
        "mean": mean, "var": var, "normalised": output(one, x),
        "output": output({"scale": gamma, "bias": beta}, x),
        "restored": output(undo_batch_norm(mean, var, eps=config.eps), x),
        "kurtosis": kurtosis[:, :2], "gaussian": kurtosis[:, 2], "examples": config.examples,
        "before": before[0], "after": after[0],
    }  # fmt: skip


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-51 is a matter of names; E-77 if the kurtosis behind is that before (to 0.01) and no
    Gaussian's."""
    x = results["x"]
    size = np.abs(x).max()
    error = np.abs(results["restored"] - x).max() / size
    unscaled = np.abs(results["normalised"] + results["mean"] - x).max() / size
    restored = PLANS["C-111"].effects["restored"]
    before, after = results["kurtosis"].T
    gaussian = PLANS["C-112"].effects["kurtosis"]
    values = np.asarray(results["normalised"])
    centred, ones = np.abs(values.mean(axis=0)).max(), values.std(axis=0).round(6).tolist()
    planted = mean(results["gaussian"])
    same = bool(np.allclose(before, after, atol=0.01) and abs(after).min() > gaussian)
    peaks = f"excess kurtosis of two peaks {before.mean():.2f}, behind it {after.mean():.2f}"
    return [
        convention("E-51", f"batch normalisation: largest mean {centred:.1e}, deviations {ones}"),
        all_of(
            "C-111",
            [
                tolerance(
                    "error of the restored batch, of its largest number",
                    [exactly(error)],
                    within=restored,
                    panel="a",
                )
            ],
            gates=[Gate("scale 1 fails", unscaled > restored, f"error {unscaled:.2g}")],
            scope="a batch of 4 examples with 2 features, float32, ε 1e-5",
        ),
        all_of(
            "C-112",
            [equivalent("excess kurtosis behind batch norm", after, within=gaussian, panel="c")],
            gates=[
                Gate(
                    "Gaussian input",
                    planted.low < gaussian and -gaussian < planted.high < gaussian,
                    f"excess kurtosis {planted.value:.2g} behind batch norm",
                )
            ],
            scope=f"{results['examples']} examples with two peaks at −1 and 1, float32",
            beside=[f"{peaks}; means 0 and deviations 1 in both (the z-score)"],
        ),
        demonstration(
            "E-77", same, f"{peaks}: two moments are matched, the shape stays", panel="b and c"
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The algorithm as a flow of numbers, and the two peaks before and after."""
    fig, panels = figure(2, 2, width=6.4, height=3.6, gridspec_kw={"height_ratios": (1.25, 1)})
    panels[1].remove()
    walk, peaks = panels[0], panels[2:]
    walk.set_subplotspec(walk.get_gridspec()[0, :])
    draw_walk(walk, results)
    rows = zip(peaks, "bc", ("before", "after"), ("two peaks", "behind batch norm"), strict=True)
    for at, (panel, letter, key, title) in enumerate(rows):
        panel.set_title(letter, loc="left", fontweight="bold")
        panel.hist(results[key], bins=60, color=COLOURS[0])
        column = np.asarray(results["kurtosis"])[:, at]
        panel.set(title=title, xlabel="value", ylabel="examples", ylim=(0, 400))
        centre, low, high = interval(column)
        told = f"excess kurtosis\n{centre:.3f} [{low:.3f}, {high:.3f}]\n"
        told += f"mean and 95 %\nof {len(column)} seeds\n(bars: the first)"
        panel.text(0.5, 0.95, told, transform=panel.transAxes, ha="center", va="top")
    return fig


def draw_walk(axes: Axes, results: dict[str, Any]) -> None:
    """Boxes of four examples with two features each, and above the arrows what is done."""
    x, mean, var, normalised, output, restored = (
        np.asarray(results[name], float)
        for name in ("x", "mean", "var", "normalised", "output", "restored")
    )
    gamma, beta, eps = results["gamma"], results["beta"], results["eps"]
    deviation = np.sqrt(var + eps)
    boxes = {
        (0.0, 0.0): ("input $x$", x),
        (3.0, 0.0): ("centred", x - mean[None]),
        (6.0, 0.0): ("normalised $\\hat{x}$", normalised),
        (9.0, 1.45): ("scaled and shifted", output),
        (9.0, -1.45): ("given back", restored),
    }
    for (left, centre), (title, values) in boxes.items():
        draw_box(axes, left, centre, title, values)
    steps = (
        ((1.5, 0.0), (3.0, 0.0), f"$- \\mu$\n$\\mu$ = {pair(mean)}"),
        ((4.5, 0.0), (6.0, 0.0), f"$/ \\sqrt{{\\sigma^2 + \\epsilon}}$\n$\\sigma^2$ = {pair(var)}"),
        ((7.5, 0.3), (9.0, 1.45), f"$\\gamma$ = {pair(gamma)}\n$\\beta$ = {pair(beta)}"),
        ((7.5, -0.3), (9.0, -1.45), f"$\\gamma$ = {pair(deviation)}\n$\\beta$ = $\\mu$"),
    )
    for begin, end, told in steps:
        axes.annotate("", end, begin, arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 1.5})
        up = end[1] >= 0
        middle = ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2 + (0.15 if up else -0.15))
        shift = -0.45 if end[1] else 0.0
        axes.text(
            middle[0] + shift,
            middle[1] + (0.25 if end[1] > 0 else -0.25 if end[1] < 0 else 0.0),
            told,
            ha="center",
            va="bottom" if up else "top",
            fontsize=10.5,
        )
    axes.set(xlim=(-0.2, 10.7), ylim=(-2.75, 2.75))
    axes.set_title(f"four examples with two features, $\\epsilon$ = {eps:.5f}")
    axes.set_axis_off()


def draw_box(axes: Axes, left: float, centre: float, title: str, values: np.ndarray) -> None:
    """A row for each example, a column for each feature."""
    box = Rectangle((left, centre - 0.95), 1.5, 1.9, fc=COLOURS[0], alpha=0.15, ec="none")
    axes.add_patch(box)
    for (row, feature), value in np.ndenumerate(values):
        place = (left + 0.4 + 0.7 * feature, centre + 0.69 - 0.46 * row)
        axes.text(*place, number(value), ha="center", va="center", fontsize=11)
    axes.text(left + 0.75, centre + 1.0, title, ha="center", va="bottom", fontsize=11)


def number(value: float) -> str:
    return f"{round(value, 3) + 0:g}"


def pair(values: np.ndarray) -> str:
    return ", ".join(number(value) for value in values)
