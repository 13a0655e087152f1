"""What changes in dropout and batch norm between training and evaluation?

000:64-72 draws both behaviours side by side. One image of the digits goes 2,000 times through two
networks of one hidden layer of 32 units with their first weights: one with dropout at the rate 0.5,
one with batch norm, whose batch has 31 other images, drawn anew each time, and whose running
statistics were measured on all images. Shown is one logit of the image, in training and in
evaluation.

Command: python -m experiments --only what_changes_between_training_and_evaluation
(CPU, about 8 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import COLOURS, Verdict, figure
from jaxtricks import models
from jaxtricks.averaging import measure_batch_norm

FIGURES = ("F-009",)

NETS = {
    "dropout": models.MLP((32, 10), dropout_rates=0.5),
    "batch norm": models.MLP((32, 10), block=models.batch_norm_block),
}
MODES = ("in training", "in evaluation")
BATCH, SHOWN = 32, 60


@dataclasses.dataclass(frozen=True)
class Config:
    """`repeats`: how often the image goes through each network."""

    repeats: int = 2000
    seed: int = 17_009


SMOKE = Config(repeats=80)
FULL = Config(repeats=100_000)


def run(config: Config) -> dict[str, Any]:
    """By network and mode: the logit of every repeat."""
    found = lab.read("digits", pool=1000, validation=100)
    images = found.pool["image"] / np.float32(255)
    key = jax.random.key(config.seed)
    outputs = {
        name: jax.device_get(repeated(net, config.repeats, key, images))
        for name, net in NETS.items()
    }
    networks = {
        name: {mode: summary(y.astype(np.float64)) for mode, y in modes.items()}
        for name, modes in outputs.items()
    }
    return {"data_set": found.name, "networks": networks, "repeats": config.repeats}


def summary(outputs: np.ndarray) -> dict[str, Any]:
    """Deviation from the mean, exactly 0 if all are equal, and the first outputs."""
    deviation = float(outputs.std(ddof=1)) if np.ptp(outputs) else 0.0
    return {"mean": outputs.mean(), "deviation": deviation, "first": outputs[:SHOWN]}


@functools.partial(jax.jit, static_argnums=(0, 1))
def repeated(
    net: models.MLP, repeats: int, key: jax.Array, images: jax.Array
) -> dict[str, jax.Array]:
    """The first logit of the first image, with new masks and new companions each time."""
    variables = net.init(key, images, train=False)
    if "batch_stats" in variables:
        evaluate = functools.partial(net.apply, train=False)
        own = measure_batch_norm(evaluate, variables, images, len(images))
        variables = {**variables, **own}

    def once(key: jax.Array) -> dict[str, jax.Array]:
        rows_key, mask_key = jax.random.split(key)
        rows = jax.random.randint(rows_key, (BATCH,), 1, len(images)).at[0].set(0)
        rngs, mutable = {"dropout": mask_key}, ["batch_stats"]
        options = {"rngs": rngs, "mutable": mutable}
        trained, _ = net.apply(variables, images[rows], train=True, **options)
        tested, _ = net.apply(variables, images[rows], train=False, **options)
        return dict(zip(MODES, (trained[0, 0], tested[0, 0]), strict=True))

    return jax.lax.map(once, jax.random.split(jax.random.fold_in(key, 1), repeats))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns a figure only; the tests hold the deviations and means to what is claimed of them."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The logit of the same image, pass after pass."""
    fig, panels = figure(1, 2, width=5.8, height=4.6)
    for axes, (name, modes) in zip(panels, results["networks"].items(), strict=True):
        for colour, line, mode in zip(COLOURS, "o-", MODES, strict=False):
            found = modes[mode]
            label = f"{mode}: {found['mean']:.3f} ± {found['deviation']:.3f}"
            axes.plot(found["first"], line, ms=4, color=colour, label=label)
        axes.axhline(modes[MODES[0]]["mean"], color=COLOURS[0], ls="--", lw=1)
        low, high = axes.get_ylim()
        axes.set(
            xlabel="pass of the same image", ylabel="logit", ylim=(low, high + 0.4 * (high - low))
        )
        passes = f"{results['repeats']:.0f} passes"
        axes.set_title(f"{name}: mean ± deviation of\n{passes}; dashed: mean in training")
        axes.legend(loc="upper left")
    return fig
