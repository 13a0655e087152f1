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
                )
            ],
            gates=[Gate("scale 1 fails", unscaled > restored, f"error {unscaled:.2g}")],
            scope="a batch of 4 examples with 2 features, float32, ε 1e-5",
        ),
        all_of(
            "C-112",
            [equivalent("excess kurtosis behind batch norm", after, within=gaussian, panel="f")],
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
        demonstration("E-77", same, f"{peaks}: two moments are matched, the shape stays"),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The walk in four tables, and the two peaks before and after."""
    fig, axes = figure(2, 3, height=3.2)
    scale, bias = GAMMA.tolist(), BETA.tolist()
    tables = (
        ("1. mini-batch x", results["x"]),
        ("2. mean, variance (divided by m)", np.stack([results["mean"], results["var"]])),
        (f"3. normalised, $\\epsilon$ = {EPS:g}", results["normalised"]),
        (f"4. $\\gamma$ = {scale}, $\\beta$ = {bias}", results["output"]),
    )
    for panel, (title, values) in zip(axes, tables, strict=False):
        panel.imshow(values, cmap="Blues", aspect="auto", alpha=0.4)
        for (row, column), value in np.ndenumerate(values):
            panel.text(column, row, f"{value:.4g}", ha="center", va="center")
        names = ["mean", "variance"] if len(values) == 2 else range(1, len(values) + 1)
        panel.set_yticks(range(len(values)), names)
        panel.set_xticks([0, 1], ["feature 1", "feature 2"])
        panel.set_title(title)
        panel.grid(visible=False)
    axes[0].set_ylabel("example")
    for panel, key, title in (
        (axes[4], "before", "input"),
        (axes[5], "after", "behind batch norm"),
    ):
        panel.hist(results[key], bins=60, color=COLOURS[0])
        column = np.asarray(results["kurtosis"])[:, 0 if key == "before" else 1]
        centre, low, high = interval(column)
        title = f"{title}, the first of {len(column)} seeds\nexcess kurtosis {centre:.2f} "
        title += f"[{low:.2f}, {high:.2f}], mean and 95 %"
        panel.set(title=title, xlabel="value", ylabel="examples")
    return fig
