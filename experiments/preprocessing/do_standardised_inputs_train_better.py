"""Do standardised inputs train better?

The lecture (004:441): features of similar distributions make an effective model easier to train.
Pixels from 0 to 255, from 0 to 1, centred, and standardised, each pixel by its own statistics of
the training part; one hidden ReLU layer, plain SGD, the rate tuned for each with equally many
trials on other seeds, by the held-back error after all updates. Fixed before the run: the measure
is the updates until the test error is 15 % or less, looked at every 10 updates, and all updates
where it never is. After a first run the rates were extended from 1 to 10, because two ways had
their best at 1.

Command: python -m experiments --only do_standardised_inputs_train_better
(CPU, about 20 s; MNIST halved in size where there is any, else digits)
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import races
from experiments.engine import COLOURS, Arm, band, figure, interval, tune
from experiments.engine.before import Verdict, combine, paired
from jaxtricks import data, models, optimizers

CLAIMS = ("C-102",)
TIER = 2

TARGET = 15.0  # test error in percent
RAW, UNIT, CENTRED, STANDARDISED = WAYS = ("0 to 255", "0 to 1", "centred", "standardised")


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth to choose by; the rates are `trials` from `low` to `high`."""

    data_set: str = "mnist"
    count: int = 2000
    hidden: int = 64
    low: float = 1e-6
    high: float = 10.0
    trials: int = 15
    steps: int = 600
    marks: int = 60
    tuning_seeds: int = 2
    seeds: int = 5


SMOKE = Config("digits", 100, hidden=8, trials=2, steps=4, marks=2, tuning_seeds=1, seeds=2)
FULL = Config(count=60_000, trials=25, steps=6000, marks=600, seeds=10)


class Preprocessed(nn.Module):
    """A network behind a standardiser, which may be traced: one program for all ways."""

    scale: data.Standardizer
    hidden: int

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        return models.MLP((self.hidden, 10))(self.scale.apply(images), train=train)


def ways(images: np.ndarray) -> dict[str, data.Standardizer]:
    """What each way does to pixels from 0 to 1."""
    pixels = images / 255.0
    full, centre = data.standardize(pixels), data.zero_center(pixels)
    none = data.Standardizer(np.zeros_like(full.mean), np.ones_like(full.std))
    raw = none._replace(std=none.std / 255)
    return dict(zip(WAYS, (raw, none, centre, full), strict=True))


def run(config: Config) -> dict[str, Any]:
    """Per way: errors of the trials, the rate chosen, and test errors in percent `[seed, mark]`."""
    images = races.read(config.data_set, config.count)
    race = races.racer(
        lambda trial: Preprocessed(trial["scale"], config.hidden), images,
        lambda trial: optimizers.gradient_descent(trial["rate"]),
        steps=config.steps, marks=config.marks,
    )  # fmt: skip
    rates = np.geomspace(config.low, config.high, config.trials).astype(np.float32)
    arms = {}
    for name, scale in ways(images.fit["image"]).items():
        repeat = functools.partial(np.repeat, repeats=config.trials, axis=0)
        each = jax.tree.map(lambda x, repeat=repeat: repeat(np.float32(x)[None]), scale)
        arms[name] = Arm(race, {"rate": rates, "scale": each}, races.held_back)
    tuned = tune(jax.random.key(0), arms, tuning_seeds=config.tuning_seeds, seeds=config.seeds)
    return {
        "data_set": images.name,
        "steps": config.steps,
        "rates": rates,
        "ways": {
            name: {
                "tuning": one.tuning, "rate": one.trial["rate"], "error": one.tested["error"],
            }
            for name, one in tuned.items()
        },
    }  # fmt: skip


def updates(results: dict[str, Any], way: str) -> np.ndarray:
    """Updates until the target, at most all, by seed."""
    errors = np.asarray(results["ways"][way]["error"])
    reached = errors <= TARGET
    first = np.where(reached.any(axis=1), np.argmax(reached, axis=1) + 1, errors.shape[1])
    return first * results["steps"] / errors.shape[1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-102 if standardised inputs take fewer updates than pixels from 0 to 255, and than pixels
    from 0 to 1: mean of the logarithm to base 2 of the ratio."""
    own, parts = updates(results, STANDARDISED), []
    for way in (RAW, UNIT):
        other = updates(results, way)
        text = (
            f"updates to {TARGET:g} % error: standardised {own.mean():.0f}, {way} "
            f"{other.mean():.0f}; log2 of the ratio"
        )
        parts.append(paired("C-102", np.log2(own / other), text, claimed="negative"))
    return [combine("C-102", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Test error over the run at the best rates, and the trials."""
    fig, (left, right) = figure(1, 2, width=4.8, height=3.6)
    for name, colour in zip(WAYS, COLOURS, strict=False):
        found = results["ways"][name]
        errors = np.asarray(found["error"])
        steps = (1 + np.arange(errors.shape[1])) * results["steps"] / errors.shape[1]
        rows = np.array([interval(column) for column in errors.T])
        band(left, steps, *rows.T, label=f"{name}, rate {float(found['rate']):.2g}", color=colour)
        tuning = np.asarray(found["tuning"]).mean(axis=1)
        right.plot(results["rates"], tuning, "o-", ms=4, color=colour, label=name)
    left.axhline(TARGET, color="black", lw=0.8, ls="--", label=f"target, {TARGET:g} %")
    left.set(xlabel="update", ylabel="test error / %", ylim=(0, 100))
    left.set_title("at each one's best rate")
    left.legend(loc="upper right")
    right.set(xscale="log", xlabel="learning rate", ylim=(0, 100))
    right.set_ylabel(f"held-back error after {results['steps']} updates / %")
    right.set_title(f"tuning, mean of {np.shape(results['ways'][RAW]['tuning'])[1]} seeds")
    right.legend(loc="lower left")
    seeds = len(results["ways"][RAW]["error"])
    fig.suptitle(f"{results['data_set']}, mean and 95 % interval of {seeds} seeds", fontsize=9)
    return fig
