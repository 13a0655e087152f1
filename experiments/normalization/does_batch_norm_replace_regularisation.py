"""Does batch norm lessen the need for dropout and L2?

The lecture (004:533). A ReLU network on few images (how far it overfits is not recorded), with
batch norm and without; with dropout, with L2, and with neither. Fixed before the run: momentum SGD,
twelve random trials for each of the six on other seeds, of the rate and, of a regulariser, of its
strength too; what it gains is the test error without it minus that with it, and the claim is that
it gains less with batch norm.

Command: python -m experiments --only does_batch_norm_replace_regularisation
(CPU, about 2 min; MNIST halved in size where there is any, else digits)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import races
from experiments.engine import COLOURS, Arm, data_name, figure, interval, tune
from experiments.engine.before import Verdict, combine, paired
from experiments.normalization._sigmoid_net import ARMS, BLOCKS, NORMED, PLAIN
from jaxtricks import models, optimizers

CLAIMS = ("C-108",)
TIER = 2

NEITHER, DROPOUT, L2 = KINDS = ("neither", "dropout", "L2")


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth to choose by."""

    data_set: str = "mnist"
    count: int = 1250
    hidden: tuple[int, ...] = (128, 128)
    trials: int = 12
    steps: int = 1500
    tuning_seeds: int = 2
    seeds: int = 10


SMOKE = Config("digits", 100, hidden=(8,), trials=1, steps=2, tuning_seeds=1, seeds=2)
FULL = Config(trials=48, steps=20_000, seeds=20)


def trials(kind: str, count: int) -> dict[str, np.ndarray]:
    """Rates from 0.003 to 0.3, dropping from 0.1 to 0.7, L2 from 1e-5 to 1e-2, at the same random
    places for every arm."""
    first, second = np.random.default_rng(0).random((2, count))
    nothing = np.zeros(count, np.float32)
    return {
        "rate": (0.003 * 100**first).astype(np.float32),
        "drop": (0.1 + 0.6 * second).astype(np.float32) if kind == DROPOUT else nothing,
        "l2": (1e-5 * 1000**second).astype(np.float32) if kind == L2 else nothing,
    }


def run(config: Config) -> dict[str, Any]:
    """Test errors in percent `[seed]` of the best trials, and these, by arm and kind."""
    images = races.read(config.data_set, config.count)
    arms = {}
    for arm in ARMS:
        race = racer(arm, images, config)
        for kind in KINDS:
            arms[arm, kind] = Arm(race, trials(kind, config.trials), races.held_back)
    tuned = tune(jax.random.key(0), arms, tuning_seeds=config.tuning_seeds, seeds=config.seeds)
    return {
        "data_set": images.name,
        "arms": {
            arm: {
                kind: {
                    "error": tuned[arm, kind].tested["error"][:, -1],
                    "trial": tuned[arm, kind].trial,
                }
                for kind in KINDS
            }
            for arm in ARMS
        },
    }


def racer(arm: str, images: races.Images, config: Config) -> Any:
    """One program for the three kinds."""

    def network(trial: Any) -> models.MLP:
        return models.MLP((*config.hidden, 10), dropout_rates=trial["drop"], block=BLOCKS[arm])

    def rule(trial: Any) -> optax.GradientTransformation:
        decay = optimizers.add_l2(trial["l2"], mask=optimizers.weights_only)
        return optax.chain(decay, optimizers.momentum(trial["rate"], decay=0.9))

    return races.racer(network, images, rule, steps=config.steps, marks=1, rng_streams=("dropout",))


def gain(results: dict[str, Any], arm: str, kind: str) -> np.ndarray:
    """Percentage points by which a regulariser lowers the error, by seed."""
    found = results["arms"][arm]
    return np.asarray(found[NEITHER]["error"]) - np.asarray(found[kind]["error"])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-108 if both regularisers gain less with batch norm than without."""
    parts = []
    for kind in (DROPOUT, L2):
        alone, beside = (gain(results, arm, kind) for arm in (PLAIN, NORMED))
        text = (
            f"{kind} gains {alone.mean():.2f} points without batch norm, {beside.mean():.2f} with "
            "it; difference"
        )
        parts.append(paired("C-108", alone - beside, text, claimed="positive"))
    return [combine("C-108", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Errors of the six, and the gains."""
    fig, (left, right) = figure(1, 2, height=4.4)
    looks = {NEITHER: COLOURS[6], DROPOUT: COLOURS[0], L2: COLOURS[1]}
    for place, arm in enumerate(ARMS):
        for offset, (kind, colour) in zip((-0.2, 0.0, 0.2), looks.items(), strict=True):
            errors = np.asarray(results["arms"][arm][kind]["error"])
            at, label = place + offset, None if place else kind
            left.plot(np.full(len(errors), at), errors, ".", color=colour, alpha=0.35)
            bar(left, at, errors, color=colour, label=label)
            if kind != NEITHER:
                bar(right, at, gain(results, arm, kind), color=colour, label=label)
    right.axhline(0, color="black", lw=0.8)
    for axes in (left, right):
        axes.set_xticks((0, 1), ARMS)
        axes.set_xlim(-0.5, 1.5)
        axes.legend(loc="upper center")
    seeds = len(results["arms"][PLAIN][NEITHER]["error"])
    left.set(title=f"{data_name(results['data_set'])}, the best trial of each; {seeds} seeds")
    left.set_ylabel("test error / %")
    right.set(title="Gain of the regulariser, mean and 95 %", ylabel="gain / points of test error")
    return fig


def bar(axes: Axes, at: float, values: np.ndarray, **look: Any) -> None:
    """A mean with its interval."""
    mean, low, high = interval(values)
    axes.errorbar(at, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, **look)
