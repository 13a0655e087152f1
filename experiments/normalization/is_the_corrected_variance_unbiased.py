"""Does N / (N - 1) make batch norm's variance unbiased?

The lecture's inference step (002:80-88) averages the batches' variances and multiplies by
N / (N - 1). Batches of N independent N(3, 4) examples: the mean over batches of both estimators,
and of the running variances as Flax keeps them (biased) and PyTorch (corrected), which
`unbiased_running_var` switches. The law: E[biased] = (N - 1) / N of the true variance.

Command: python -m experiments --only is_the_corrected_variance_unbiased      (CPU, about 3 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, figure, interval
from experiments.engine.before import Verdict, combine, exact
from jaxtricks.normalization import BatchNorm

FIGURES = ("F-099",)
CLAIMS = ("C-109",)

VARIANCE = 4.0
LAYERS = {
    "biased": BatchNorm(decay=0.0),
    "times N / (N - 1)": BatchNorm(decay=0.0, unbiased_running_var=True),
}
BIASED, UNBIASED = LAYERS
LOOKS = {BIASED: (LITERAL, "o"), UNBIASED: (RIGHT, "s")}
WITHIN = 0.02  # of the true variance


@dataclasses.dataclass(frozen=True)
class Config:
    """`batches` of every size, each with `features` features, in `seeds` groups."""

    sizes: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    batches: int = 200
    features: int = 200
    seeds: int = 10


SMOKE = Config(sizes=(2, 8), batches=20, features=10, seeds=2)
FULL = Config(batches=2000, features=1000, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Mean over batches and features of the layer's stored variance `[size, seed]`."""

    def one(key: jax.Array, size: int, layer: BatchNorm) -> jax.Array:
        def stored(key: jax.Array) -> jax.Array:
            x = 3 + VARIANCE**0.5 * jax.random.normal(key, (size, config.features))
            variables = layer.init(key, x, train=False)
            _, state = layer.apply(variables, x, train=True, mutable=["batch_stats"])
            return state["batch_stats"]["var"]

        return jnp.mean(jax.lax.map(stored, jax.random.split(key, config.batches)))

    keys = jax.random.split(jax.random.key(0), config.seeds)
    means = {
        name: [jax.jit(lambda k, n=n, la=layer: jax.lax.map(lambda key: one(key, n, la), k))(keys)
               for n in config.sizes]
        for name, layer in LAYERS.items()
    }  # fmt: skip
    return {"sizes": config.sizes, "means": means}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-109 if at every N the corrected mean is within 2 % of the truth and the biased one within
    2 % of (N - 1) / N of it, by their whole intervals."""
    parts = []
    for size, biased, right in zip(
        results["sizes"], results["means"][BIASED], results["means"][UNBIASED], strict=True
    ):
        shares = [interval(values / VARIANCE) for values in (biased, right)]
        laws = ((size - 1) / size, 1.0)
        fits = all(
            abs(low - law) < WITHIN and abs(high - law) < WITHIN
            for (_, low, high), law in zip(shares, laws, strict=True)
        )
        text = f"N = {size:.0f}: {shares[0][0]:.3f} of the variance, corrected {shares[1][0]:.3f}"
        parts.append(exact("C-109", fits, text))
    return [combine("C-109", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Both estimators over the true variance."""
    fig, (axes,) = figure(1, 1, width=5.4, height=3.6)
    sizes = results["sizes"]
    for name, rows in results["means"].items():
        colour, marker = LOOKS[name]
        found = np.array([interval(values / VARIANCE) for values in rows])
        bars = np.abs(found[:, 1:].T - found[:, 0])
        axes.errorbar(sizes, found[:, 0], bars, fmt=marker, ms=5, color=colour, label=name)
    fine = np.linspace(2, 64, 200)
    axes.plot(fine, (fine - 1) / fine, "k-", lw=0.8, label="(N - 1) / N")
    axes.axhline(1, color="black", lw=0.8, ls="--")
    axes.set(xscale="log", xlabel="batch size N", ylabel="mean of the estimates / true variance")
    axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    axes.minorticks_off()
    axes.legend(loc="lower right")
    seeds = len(results["means"][BIASED][0])
    axes.set_title(f"mean and 95 % interval of {seeds} groups of batches")
    return fig
