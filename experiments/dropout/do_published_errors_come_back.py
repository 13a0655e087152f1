"""Do the published test errors of dropout come back?

Permutation-invariant MNIST, all 60,000 images of 28 x 28 pixels, no augmentation. Srivastava et
al. 2014, table 2: 1.60 % without dropout (two layers of 800 logistic units, Simard et al.), and
with dropout of a fifth of the inputs and half of the hidden units 1.35 % (three layers of 1,024
logistic units), 1.25 % (ReLU) and 1.06 % (ReLU and a limit of the norm). Wan et al. 2013, two
layers of 800 ReLU: 1.28 % with dropout and 1.20 % with DropConnect at 0.5 (these two were written
down from memory: compare them with the paper before judging by them). A result is met if the
paper's value lies within 0.25 point of the mean of three runs or more. Fixed before the run:
momentum 0.9, the rate falling along half a cosine to 0, batches of 100. The default is the result
of ReLU with dropout in four runs, at as many passes as two hours of two cores allow, with a
checkpoint every five from which a killed study goes on; --full runs all of them, for hours on a
GPU.

Command: python -m experiments --only do_published_errors_come_back      (CPU, about two hours)
"""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Verdict,
    all_of,
    data_name,
    figure,
    finish,
    holds,
    interval,
    not_run,
)
from jaxtricks import data, models, regularizers, training


class Published(NamedTuple):
    """A result of a paper.

    Attributes:
        error: in percent.
        hidden: units of the hidden layers.
        activation: of these.
        kind: "plain", "dropout", "max-norm" or "DropConnect".
    """

    error: float
    hidden: tuple[int, ...]
    activation: Callable[..., Any]
    kind: str


RESULTS = {
    "Srivastava et al. 2014: plain, logistic, 800-800": Published(
        1.60, (800, 800), nn.sigmoid, "plain"
    ),
    "Srivastava et al. 2014: dropout, logistic, 3 x 1024": Published(
        1.35, (1024,) * 3, nn.sigmoid, "dropout"
    ),
    "Srivastava et al. 2014: dropout, ReLU, 3 x 1024": Published(
        1.25, (1024,) * 3, nn.relu, "dropout"
    ),
    "Srivastava et al. 2014: dropout and max-norm, ReLU, 3 x 1024": Published(
        1.06, (1024,) * 3, nn.relu, "max-norm"
    ),
    "Wan et al. 2013: dropout, ReLU, 800-800": Published(1.28, (800, 800), nn.relu, "dropout"),
    "Wan et al. 2013: DropConnect, ReLU, 800-800": Published(
        1.20, (800, 800), nn.relu, "DropConnect"
    ),
}
REFERENCES = tuple(RESULTS)
DEFAULT = "Srivastava et al. 2014: dropout, ReLU, 3 x 1024"
WITHIN = 0.25  # points
TIER = 3


@dataclasses.dataclass(frozen=True)
class Config:
    """`results`: which are run; `width`: of all hidden layers instead of the paper's, if any;
    `saved`: epochs between two checkpoints of the runs."""

    data_set: str = "mnist"
    results: tuple[str, ...] = (DEFAULT,)
    width: int | None = None
    epochs: int = 100
    saved: int = 5
    batch: int = 100
    rate: float = 0.05
    seed: int = 86_014
    seeds: int = 4


SMOKE = Config("digits", REFERENCES, width=8, epochs=1, saved=1, seeds=3)
FULL = Config(results=REFERENCES, epochs=1000, seeds=5)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Test errors `[seed]` of the results that are run."""
    name = config.data_set if data.available(config.data_set) else "digits"
    train, _, test = data.load(name, validation=0)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)

    def repeated(result: str) -> dict[str, Any]:
        folder = trials.with_suffix("") / str(REFERENCES.index(result))
        begin, advance, measure = phases(config, RESULTS[result], train)
        states = lab.resume(
            folder,
            begin,
            advance,
            keys,
            epochs=config.epochs,
            every=config.saved,
            shared=(train,),
        )
        return training.train_population(
            measure, keys, np.zeros(len(keys)), states=states, shared=(train, test)
        )

    found = finish(trials, {result: result for result in config.results}, repeated)
    shutil.rmtree(trials.with_suffix(""), ignore_errors=True)
    return {
        "data_set": name,
        "train": len(train["label"]),
        "test": len(test["label"]),
        "epochs": config.epochs,
        "width": config.width or 0,
        "found": found,
    }


def recipe(published: Published, width: int | None) -> lab.Recipe:
    """The network of a result and what it is trained with."""
    hidden = tuple(width or units for units in published.hidden)
    if published.kind == "DropConnect":
        layers: list[Any] = [models.flatten]
        for units in hidden:
            layers += [regularizers.DropConnectDense(units, 0.5), published.activation]
        net = models.Sequential([*layers, nn.Dense(10)])
        return lab.Recipe(net, lambda rate, steps: lab.momentum_to_zero(rate, steps=steps))
    drop = 0.0 if published.kind == "plain" else 0.5
    return lab.large_fully_connected(
        hidden,
        inputs=0.4 * drop,
        units=drop,
        limit=3.0 if published.kind == "max-norm" else None,
        activation=published.activation,
    )


def phases(config: Config, published: Published, train: Any) -> tuple[Callable[..., Any], ...]:
    """How a run of a result begins, goes on for some epochs, and is measured at its end."""
    chosen = recipe(published, config.width)
    steps = config.epochs * (len(train["label"]) // config.batch)
    rule = chosen.rule(config.rate, steps)
    ours = training.trainer(training.classification_loss(chosen.model), rule, diagnostics=False)

    def begin(key: jax.Array) -> training.TrainState:
        images = jnp.zeros((1, *train["image"].shape[1:]))
        return ours.init(chosen.model.init(jax.random.split(key)[0], images, train=False))

    def advance(key: jax.Array, done: Any, state: Any, train: Any) -> training.TrainState:
        options = {"epochs": config.saved, "batch": config.batch, "done": done}
        return lab.train(ours, state, train, key=jax.random.split(key)[1], **options)[0]

    def measure(key: jax.Array, nothing: Any, state: Any, train: Any, test: Any) -> dict:
        del key, nothing
        variables = ours.variables(state)
        return {
            "error": lab.measure(ours, variables, test)["error"],
            "train error": lab.measure(ours, variables, train)["error"],
        }

    return begin, advance, measure


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Whether each published error lies within a quarter of a point of our mean."""
    scope = (
        f"{data_name(results['data_set'])}, {results['train']:.0f} training and "
        f"{results['test']:.0f} test images, momentum 0.9, rate falling to 0, "
        f"{results['epochs']:.0f} epochs, float32"
    )
    verdicts = []
    for name, published in RESULTS.items():
        found = results["found"].get(name)
        if found is None:
            verdicts.append(not_run(name, "it takes hours on a GPU: --full runs it"))
            continue
        errors = np.asarray(found["error"])
        centre, low, high = interval(errors)
        text = (
            f"published {published.error:.2f} %, measured {centre:.2f} % [{low:.2f}, {high:.2f}] "
            f"in {len(errors)} runs: within {WITHIN:g} point"
        )
        met = abs(centre - published.error) <= WITHIN and not results["width"]
        verdicts.append(all_of(name, [holds(text, met)], scope=scope))
    return verdicts


def draw(results: dict[str, Any]) -> Figure:
    """Published errors, and ours where they were run."""
    fig, (axes,) = figure(width=9.0, height=4.6)
    rows = range(len(RESULTS))[::-1]
    for row, (name, published) in zip(rows, RESULTS.items(), strict=True):
        label = "published, and a quarter of a point to each side" if row == 0 else None
        axes.errorbar(
            published.error, row, xerr=WITHIN, fmt="|", color="0.5", lw=6, ms=14, label=label
        )
        if name in results["found"]:
            errors = np.asarray(results["found"][name]["error"])
            axes.plot(errors, np.full(len(errors), row), "o", color=COLOURS[0], ms=5)
            axes.plot(errors.mean(), row, "D", color=COLOURS[1], ms=8)
    axes.plot([], [], "o", color=COLOURS[0], label="a run of ours")
    axes.plot([], [], "D", color=COLOURS[1], label="mean of the runs")
    axes.set_yticks(rows, RESULTS)
    axes.set_xlabel("test error / %")
    axes.set_title(f"{data_name(results['data_set'])}, {results['epochs']:.0f} epochs")
    axes.legend(loc="best")
    return fig
