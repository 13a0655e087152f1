"""Does N / (N - 1) make batch norm's variance unbiased?

The lecture's inference step (002:80-88) averages the batches' variances and multiplies by
N / (N - 1). Batches of N independent examples from N(3, 4): the mean over many batches of the
biased and of the corrected variance, which a batch norm layer keeps without and with
`unbiased_running_var`. The law: the biased one averages to (N - 1) / N of the true variance. The
corrected one is judged by its distance from the truth at every N, of which 1 % would matter.

Command: python -m experiments --only is_the_corrected_variance_unbiased      (CPU, about 15 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    RIGHT,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    figure,
    mean,
    tolerance,
)
from jaxtricks.normalization import BatchNorm

FIGURES = ("F-099",)
CLAIMS = ("C-109",)
PLANS = {
    "C-109": Plan(
        {"corrected over the truth": 0.01, "biased over the truth": 0.01},
        gates=("biased one is (N - 1) / N",),
        settings={"true mean": 3.0, "true variance": 4.0},
    )
}

LAYERS = {
    "biased": BatchNorm(decay=0.0),
    "times N / (N - 1)": BatchNorm(decay=0.0, unbiased_running_var=True),
}
BIASED, UNBIASED = LAYERS
LOOKS = {BIASED: (LITERAL, "o"), UNBIASED: (RIGHT, "s")}


@dataclasses.dataclass(frozen=True)
class Config:
    """`batches` of every size, each with `features` features, in `seeds` groups.

    Each feature is normal, with the true `mean` and `variance`.
    """

    mean: float = 3.0
    variance: float = 4.0
    sizes: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    batches: int = 200
    features: int = 200
    seeds: int = 20
    seed: int = 15_109


SMOKE = Config(sizes=(2, 8), batches=20, features=10, seeds=3)
FULL = Config(batches=2000, features=1000, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Mean over batches and features of the layer's stored variance `[size, seed]`."""

    def one(key: jax.Array, size: int, layer: BatchNorm) -> jax.Array:
        def stored(key: jax.Array) -> jax.Array:
            x = config.mean + config.variance**0.5 * jax.random.normal(key, (size, config.features))
            variables = layer.init(key, x, train=False)
            _, state = layer.apply(variables, x, train=True, mutable=["batch_stats"])
            return state["batch_stats"]["var"]

        return jnp.mean(jax.lax.map(stored, jax.random.split(key, config.batches)))

    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    means = {
        name: [jax.jit(lambda k, n=n, la=layer: jax.lax.map(lambda key: one(key, n, la), k))(keys)
               for n in config.sizes]
        for name, layer in LAYERS.items()
    }  # fmt: skip
    true = {"mean": config.mean, "variance": config.variance}
    draws = config.batches * config.features
    return {"sizes": config.sizes, "means": means, "draws": draws, **true}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-109 if the corrected mean is within 1 % of the truth at every N."""
    effects = PLANS["C-109"].effects
    biased, corrected = (relative(results, name) for name in LAYERS)
    off = [
        max(abs(found.low - law), abs(found.high - law))
        for found, law in zip(biased, laws(results), strict=True)
    ]
    groups = len(results["means"][BIASED][0])
    return [
        all_of(
            "C-109",
            [
                tolerance(
                    "mean corrected variance over the true one",
                    corrected,
                    within=effects["corrected over the truth"],
                    target=1.0,
                    panel="b",
                )
            ],
            scope=f"batches of {', '.join(f'{n:.0f}' for n in results['sizes'])} examples from "
            f"N({results['mean']:g}, {results['variance']:g}), {groups} groups of "
            f"{results['draws']} variances at each size, float32",
            gates=[
                Gate(
                    "biased one is (N - 1) / N",
                    max(off) < effects["biased over the truth"],
                    f"intervals end within {100 * max(off):.2g} % of the true variance of it",
                )
            ],
            beside=[
                f"N = {n:.0f}: biased {low.value:.4f} of the true variance, corrected "
                f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"
                for n, low, found in zip(results["sizes"], biased, corrected, strict=True)
            ],
        )
    ]


def relative(results: dict[str, Any], name: str) -> list[Estimate]:
    """Mean estimate over the true variance at each size, with its interval over the groups."""
    return [mean(np.asarray(values) / results["variance"]) for values in results["means"][name]]


def laws(results: dict[str, Any]) -> np.ndarray:
    """(N - 1) / N at each size."""
    sizes = np.asarray(results["sizes"])
    return (sizes - 1) / sizes


def draw(results: dict[str, Any]) -> Figure:
    """Both estimates over the true variance, and what is left of the corrected one's error."""
    fig, (both, close) = figure(1, 2)
    sizes, seeds = results["sizes"], len(results["means"][BIASED][0])
    fine = np.geomspace(2, 64, 200)
    both.plot(fine, (fine - 1) / fine, "k-", lw=0.8)
    both.text(5, 0.7, "law (N − 1) / N")
    for name in LAYERS:
        points(both, sizes, relative(results, name), name)
    both.axhline(1, color="black", lw=0.8, ls="--")
    both.set(title=f"Mean and 95 % of {seeds} groups", ylim=(0.45, 1.08))
    both.set_ylabel("mean estimate / true variance")
    both.legend(loc="lower right")
    means = np.asarray(results["means"][UNBIASED]) / results["variance"]
    points(close, sizes, [mean(100 * (row - 1)) for row in means], UNBIASED)
    within = 100 * PLANS["C-109"].effects["corrected over the truth"]
    close.axhspan(-within, within, color="grey", alpha=0.15, lw=0)
    close.axhline(0, color="black", lw=0.8, ls="--")
    close.set(title=f"The corrected one: grey, within {within:g} %", ylim=(-2, 2))
    close.set_ylabel("mean error / % of the variance")
    for axes in (both, close):
        axes.set(xscale="log", xlabel="batch size N")
        axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
        axes.minorticks_off()
    return fig


def points(axes: Axes, sizes: Any, found: list[Estimate], name: str) -> None:
    """Means with their intervals."""
    colour, marker = LOOKS[name]
    bars = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
    values = [one.value for one in found]
    axes.errorbar(sizes, values, bars, fmt=marker, ms=5, capsize=3, color=colour, label=name)
