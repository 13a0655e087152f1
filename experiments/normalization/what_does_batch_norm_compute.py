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

from experiments.engine import COLOURS, figure, interval
from experiments.engine.before import Verdict, exact, paired
from jaxtricks import probes
from jaxtricks.normalization import BatchNorm, undo_batch_norm

FIGURES = ("F-050",)
CLAIMS = ("C-111", "C-112")
ERRATA = ("E-51", "E-77")

BATCH = np.array([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0], [6.0, 40.0]], np.float32)
EPS = 1e-5
GAMMA, BETA = np.array([2.0, 0.5], np.float32), np.array([0.0, 1.0], np.float32)
ROUNDING = 1e-5  # of the largest input
GAUSSIAN = 0.5  # largest excess kurtosis, in size, that counts as a Gaussian's


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples` of the distribution with two peaks, at -1 and 1, 0.05 wide."""

    examples: int = 2000
    seeds: int = 10


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
        keys = jax.random.split(key)
        side = jax.random.rademacher(keys[0], (config.examples, 2), jnp.float32)
        x = side + 0.05 * jax.random.normal(keys[1], side.shape)
        y = output(one, 3 * x + 5)
        kurtosis = [probes.statistics(z[:, 0]).excess_kurtosis for z in (x, y)]
        return jnp.stack(kurtosis), x[:, 0], y[:, 0]

    kurtosis, before, after = jax.jit(lambda keys: jax.lax.map(peaks, keys))(
        jax.random.split(jax.random.key(0), config.seeds)
    )
    return {
        "x": BATCH, "mean": mean, "var": var, "normalised": output(one, x),
        "output": output({"scale": jnp.asarray(GAMMA), "bias": jnp.asarray(BETA)}, x),
        "restored": output(undo_batch_norm(mean, var, eps=EPS), x),
        "kurtosis": kurtosis, "before": before[0], "after": after[0],
    }  # fmt: skip


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-111 if the input comes back to rounding; C-112 if the kurtosis behind is a Gaussian's
    within 0.5; E-77 if it is not, and is the kurtosis before to 0.01; E-51, a matter of names
    ("regularisation"), by the definition: what comes out has means 0 and deviations 1 to 1e-5."""
    error = np.abs(results["restored"] - BATCH).max() / np.abs(BATCH).max()
    before, after = results["kurtosis"].T
    text = f"excess kurtosis of two peaks {before.mean():.3f}, behind batch norm {after.mean():.3f}"
    values = np.asarray(results["normalised"])
    means, deviations = np.abs(values.mean(axis=0)).max(), values.std(axis=0)
    normal = means < ROUNDING and np.abs(deviations - 1).max() < ROUNDING
    return [
        exact(
            "E-51", normal, f"largest mean {means:.1e}, deviations {deviations.round(6).tolist()}"
        ),
        exact("C-111", error < ROUNDING, f"largest error of the restored batch: {error:.1e} of it"),
        paired("C-112", np.abs(after) - GAUSSIAN, f"{text}; size minus 0.5", claimed="negative"),
        exact("E-77", np.allclose(before, after, atol=0.01) and abs(after).min() > GAUSSIAN, text),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The walk in four tables, and the two peaks before and after."""
    fig, axes = figure(2, 3, width=4.0, height=2.5)
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
        mean, low, high = interval(column)
        title = f"{title}\nexcess kurtosis {mean:.2f} [{low:.2f}, {high:.2f}]"
        panel.set(title=title, xlabel="value", ylabel="examples")
    fig.suptitle(
        f"two peaks: first of {len(results['kurtosis'])} draws; kurtosis: mean and 95 % interval",
        fontsize=9,
    )
    return fig
