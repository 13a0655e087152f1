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

BATCH = np.array([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0], [6.0, 40.0]], np.float32)
EPS = 1e-5
GAMMA, BETA = np.array([2.0, 0.5], np.float32), np.array([0.0, 1.0], np.float32)
PLANS = {
    "C-111": Plan({"restored": 1e-6}, ("scale 1 fails",)),
    "C-112": Plan({"kurtosis": 0.5}, ("Gaussian input",)),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples` of the distribution with two peaks, at -1 and 1, 0.05 wide."""

    examples: int = 2000
    seeds: int = 10
    seed: int = 15_112


SMOKE = Config(examples=50, seeds=2)
FULL = Config(examples=100_000, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Every line of the algorithm; the restored batch; kurtosis and values before and after."""
    layer, x = BatchNorm(eps=EPS), jnp.asarray(BATCH)
    mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
    stats = {"mean": jnp.zeros(2), "var": jnp.ones(2)}

    def output(params: Any, x: jax.Array) -> jax.Array:
        given = {"params": params, "batch_stats": stats}
        return layer.apply(given, x, train=True, mutable=["batch_stats"])[0]

    one = {"scale": jnp.ones(2), "bias": jnp.zeros(2)}

    def peaks(key: jax.Array) -> tuple[jax.Array, ...]:
        keys = jax.random.split(key, 3)
        side = jax.random.rademacher(keys[0], (config.examples, 2), jnp.float32)
        x = side + 0.05 * jax.random.normal(keys[1], side.shape)
        y = output(one, 3 * x + 5)
        z = output(one, jax.random.normal(keys[2], side.shape))
        kurtosis = [probes.statistics(values[:, 0]).excess_kurtosis for values in (x, y, z)]
        return jnp.stack(kurtosis), x[:, 0], y[:, 0]

    kurtosis, before, after = jax.jit(lambda keys: jax.lax.map(peaks, keys))(
        jax.random.split(jax.random.key(config.seed), config.seeds)
    )
    return {
        "x": BATCH, "mean": mean, "var": var, "normalised": output(one, x),
        "output": output({"scale": jnp.asarray(GAMMA), "bias": jnp.asarray(BETA)}, x),
        "restored": output(undo_batch_norm(mean, var, eps=EPS), x),
        "kurtosis": kurtosis[:, :2], "gaussian": kurtosis[:, 2], "examples": config.examples,
        "before": before[0], "after": after[0],
    }  # fmt: skip


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-51 is a matter of names; E-77 if the kurtosis behind is that before (to 0.01) and no
    Gaussian's."""
    size = np.abs(BATCH).max()
    error = np.abs(results["restored"] - BATCH).max() / size
    unscaled = np.abs(results["normalised"] + results["mean"] - BATCH).max() / size
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
    """The walk in one table, and the two peaks before and after."""
    fig, (walk, *peaks) = figure(
        1, 3, width=5.6, height=4.6, gridspec_kw={"width_ratios": (1.7, 1, 1)}
    )
    draw_walk(walk, results)
    rows = zip(peaks, ("before", "after"), ("two peaks", "the same behind batch norm"), strict=True)
    for at, (panel, key, title) in enumerate(rows):
        panel.hist(results[key], bins=60, color=COLOURS[0])
        column = np.asarray(results["kurtosis"])[:, at]
        panel.set(title=title, xlabel="value", ylabel="examples", ylim=(0, 400))
        centre, low, high = interval(column)
        told = f"excess kurtosis\n{centre:.3f} [{low:.3f}, {high:.3f}]\n"
        told += f"mean and 95 %\nof {len(column)} seeds\n(bars: the first)"
        panel.text(0.5, 0.95, told, transform=panel.transAxes, ha="center", va="top")
    return fig


def draw_walk(axes: Axes, results: dict[str, Any]) -> None:
    """Two columns a stage, one a feature: four examples, then their mean and variance."""
    scale, bias = (" and ".join(f"{value:g}" for value in pair) for pair in (GAMMA, BETA))
    stages = {
        "input": results["x"],
        "normalised": results["normalised"],
        f"$\\gamma$ {scale},\n$\\beta$ {bias}": results["output"],
        "given back": results["restored"],
    }
    for at, (name, values) in enumerate(stages.items()):
        values = np.asarray(values, float)
        rows = [*values, values.mean(axis=0), values.var(axis=0)]
        for (row, feature), value in np.ndenumerate(rows):
            text = f"{round(value, 3) + 0:g}"
            axes.text(2 * at + feature, row, text, ha="center", va="center", fontsize=11)
        axes.text(2 * at + 0.5, -0.75, name, ha="center", va="bottom", fontsize=11)
        if at % 2 == 0:
            axes.axvspan(2 * at - 0.5, 2 * at + 1.5, color=COLOURS[0], alpha=0.12, lw=0)
    axes.axhline(len(results["x"]) - 0.5, color="black", lw=0.8)
    names = [f"example {number + 1}" for number in range(len(results["x"]))]
    axes.set_yticks(range(len(names) + 2), [*names, "mean", "variance"])
    axes.set_xticks(range(2 * len(stages)), ["1", "2"] * len(stages))
    axes.set(xlim=(-0.5, 2 * len(stages) - 0.5), ylim=(len(names) + 1.5, -1.9), xlabel="feature")
    axes.set_title(f"the algorithm, $\\epsilon$ = {EPS:.5f}")
    axes.grid(visible=False)
