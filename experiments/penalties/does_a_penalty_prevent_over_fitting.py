r"""Does a penalty prevent over-fitting, at the price of the fit?

002:624-632: the data term makes the model fit the training set as well as it can, the penalty keeps
it from over-fitting. A ReLU net of 64 hidden units on 1,000 images of MNIST averaged to 14 x 14
pixels (digits where it is not prepared), momentum SGD in batches of 50, 60 epochs at a rate that
falls to 0, and L2 on the weights, lambda / 2 times the sum of their squares. Every seed draws its
images, its first weights and its order, and all strengths share them. C-062: with the strength,
which goes over four decades, the gap between test and training loss falls, and the training loss,
measured without the penalty, rises: slopes over log10 of the strength, by least squares for each
seed (0.02 nat a decade matters). Controls: without a penalty the net fits its images (99.5 %) and
has a gap of five times as much; the strength with the least validation loss is none of the ends.
L1 at a tenth of the strengths is printed beside.

Command: python -m experiments --only does_a_penalty_prevent_over_fitting      (CPU, about 2 min)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    figure,
    interval,
    paired,
)
from experiments.penalties import _nets as nets

CLAIMS = ("C-062",)
TIER = 2

FITTED, GAPS = 99.5, 5  # training accuracy in percent; how many times the smallest effect
TENTH = 0.1  # of the L2 strengths: those of L1
PLANS = {
    "C-062": Plan(
        effects={"nat a decade": 0.02},
        gates=("fit", "edge"),
        settings={"penalty": "L2, halved, weights only", "recipe": nets.Recipe()._asdict()},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`strengths`: from ten to the first to ten to the second, so many."""

    data_set: str = "mnist"
    pool: int = 20_000
    test: int = 10_000
    count: int = 1000
    epochs: int = 60
    strengths: tuple[float, float, int] = (-5.0, -1.0, 9)
    seeds: int = 20
    seed: int = 15_062


SMOKE = Config("digits", pool=200, count=100, epochs=2, strengths=(-5.0, -1.0, 3), seeds=3)
FULL = Config(pool=50_000, count=5000, epochs=300, strengths=(-6.0, 0.0, 25))


def run(config: Config) -> dict[str, Any]:
    """Losses and errors `[strength, seed]` by penalty and set, the first strength being 0."""
    images = lab.read(config.data_set, pool=config.pool, validation=2000, test=config.test)
    recipe = nets.Recipe(count=config.count, epochs=config.epochs)

    def one(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> Any:
        sets = lab.Images(pool, validation, test, images.name)
        return nets.train(key, trial, pool, recipe).losses(sets)

    strengths = np.append(0.0, np.logspace(*config.strengths)).astype(np.float32)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    none = np.zeros_like(strengths)
    trials = {
        "L2": {"L1": none, "L2": strengths},
        "L1": {"L1": TENTH * strengths, "L2": none},
    }
    return {
        "data_set": images.name,
        "examples": (config.count, len(images.test["label"])),
        "epochs": config.epochs,
        "strengths": strengths,
        **{name: lab.over(one, trial, keys, images[:3]) for name, trial in trials.items()},
    }


def gap(found: dict[str, Any]) -> np.ndarray:
    """Test loss minus training loss / nat, `[strength, seed]`."""
    return np.asarray(found["test"]["loss"]) - np.asarray(found["train"]["loss"])


def slopes(strengths: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of the least-squares lines over log10 of the strengths above 0, one a seed."""
    return np.polyfit(np.log10(strengths[1:]), values[1:], 1)[0]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Slopes of the gap and of the training loss under L2."""
    plan, strengths, found = PLANS["C-062"], np.asarray(results["strengths"]), results["L2"]
    effect = plan.effects["nat a decade"]
    fall, rise = (slopes(strengths, v) for v in (gap(found), np.asarray(found["train"]["loss"])))
    parts = [
        paired("slope of the gap in log10 of the strength / nat a decade", fall, effect=effect,
               claimed="down", panel="b"),
        paired("slope of the training loss in log10 of the strength / nat a decade", rise,
               effect=effect, claimed="up", panel="a"),
    ]  # fmt: skip
    fitted, free = 100 - found["train"]["error"][0].mean(), gap(found)[0].mean()
    validation = np.asarray(found["validation"]["loss"]).mean(axis=1)
    best = int(np.argmin(validation))
    gates = [
        Gate(
            "fit",
            bool(fitted >= FITTED and free >= GAPS * effect),
            f"without penalty {fitted:.2f} % of the training images are right, and the gap is "
            f"{free:.2g} nat",
        ),
        Gate(
            "edge",
            1 < best < len(strengths) - 1,
            f"the least mean validation loss is at strength {strengths[best]:.2g}",
        ),
    ]
    beside = []
    for name, factor in (("L2", 1.0), ("L1", TENTH)):
        test, error = (
            np.asarray(results[name]["test"][of]).mean(axis=1) for of in ("loss", "error")
        )
        least = int(np.argmin(np.asarray(results[name]["validation"]["loss"]).mean(axis=1)))
        fall, rise = (
            slopes(strengths, v).mean()
            for v in (gap(results[name]), np.asarray(results[name]["train"]["loss"]))
        )
        beside.append(
            f"{name}: mean test loss {test[0]:.3g} nat and error {error[0]:.3g} % without, "
            f"{test[least]:.3g} nat and {error[least]:.3g} % at strength "
            f"{factor * strengths[least]:.2g}, that of the least validation loss; slopes "
            f"{fall:.3g} of the gap and {rise:.3g} of the training loss"
        )
    count, tested = results["examples"]
    scope = (
        f"{data_name(results['data_set'])}, {count:.0f} training and {tested:.0f} test images of "
        "14 x 14 pixels (digits 8 x 8), one hidden ReLU layer of 64 units, momentum SGD, batch 50, "
        f"{results['epochs']:.0f} epochs, L2 strengths {strengths[1]:.0e} to {strengths[-1]:.0e}, "
        "float32"
    )
    return [all_of("C-062", parts, gates=gates, scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Losses and gaps against the strength; without a penalty at the left."""
    fig, (losses, gaps) = figure(1, 2, width=5.8, height=4.6)
    strengths = np.array(results["strengths"], float)
    seeds = gap(results["L2"]).shape[1]
    strengths[0] = strengths[1] / (strengths[2] / strengths[1])  # where 0 is drawn
    for i, (name, style) in enumerate((("L2", "-"), ("L1", "--"))):
        for j, kind in enumerate(("train", "test")):
            rows = np.array([interval(row) for row in results[name][kind]["loss"]])
            look = {"color": COLOURS[j], "ls": style, "marker": "os"[i], "ms": 4}
            label = f"{kind}, {name}" + (" at a tenth" if name == "L1" else "")
            band(losses, strengths, *rows.T, label=label, **look)
        rows = np.array([interval(row) for row in gap(results[name])])
        look = {"color": COLOURS[2 + i], "ls": style, "marker": "os"[i], "ms": 4}
        label = "L2" if name == "L2" else "L1 at a tenth of the strength"
        band(gaps, strengths, *rows.T, label=label, **look)
    losses.set(yscale="log", ylabel="loss without penalty / nat")
    losses.set_title(f"{data_name(results['data_set'])}, {results['examples'][0]:.0f} images")
    gaps.set(ylabel="test loss minus training loss / nat")
    gaps.set_title(f"the gap; means and 95 % of {seeds} seeds")
    for axes in (losses, gaps):
        axes.set(xscale="log", xlabel=r"strength $\lambda$ (leftmost: 0)")
        axes.legend()
    return fig
