"""Does the loop of the lecture test on training data?

In the loop over batches (000:77-84), after the update, the line under "# test" calls the network on
x, the batch that it has just learnt from (E-16); right is another loader after the epoch. The
notes' network (784-256-128-64-32-10 ReLU, dropout 0.5 twice; MNIST, digits where it is not
prepared) is trained by Adam in batches of 32, on true and, as a control, on random labels, of which
a test set can tell nothing. Every epoch gives the mean accuracy of the printed line over its
batches, and the accuracies on all training and all test examples after it. The erratum is shown if
at the end, on every seed and for both kinds of label, the printed line's accuracy is above that of
the test and nearer to that of the training.

Command: python -m experiments --only does_the_loop_test_on_training_data      (CPU, about 50 s)
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    LITERAL,
    RIGHT,
    Verdict,
    band,
    data_name,
    demonstration,
    figure,
    interval,
)
from jaxtricks import data, models, optimizers, training

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-16",)
TIER = 2

BATCH, CLASSES = 32, 10
KINDS = ("true", "random")
CURVES = {  # name: (colour, line, label)
    "literal": (LITERAL, "-", "as printed: the batch just learnt from"),
    "train": (COLOURS[2], "--", "all training examples"),
    "test": (RIGHT, "-", "right: test examples"),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: examples to train with, and at most as many to test.

    `hidden`: units of a net with dropout 0.5; none stands for the notes' network.
    """

    count: int = 1000
    epochs: int = 60
    seeds: int = 5
    hidden: tuple[int, ...] = ()


SMOKE = Config(count=64, epochs=2, seeds=2, hidden=(8,))
FULL = Config(count=10_000, epochs=200, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Accuracies `[seed, epoch]` of both kinds of label."""
    name = "mnist" if data.available("mnist") else "digits"
    fit, _, test = data.load(name, limit=config.count, validation=0)
    keys = jax.random.split(jax.random.key(0), config.seeds)
    both = jnp.concatenate([keys, keys])
    shuffled = np.repeat([False, True], config.seeds)
    if config.hidden:
        model = models.MLP((*config.hidden, CLASSES), dropout_rates=0.5)
    else:
        model = models.tensorflow_mlp()
    one = trainer(model, config.epochs)
    found = training.train_population(one, both, shuffled, shared=(fit, test))
    return {
        "data_set": name,
        "examples": (len(fit["label"]), len(test["label"])),
        **{
            kind: {curve: rows[shuffled == (kind == "random")] for curve, rows in found.items()}
            for kind in KINDS
        },
    }


def trainer(model: nn.Module, epochs: int) -> Any:
    """Makes `run(key, shuffled, fit, test)`: the three accuracies of every epoch."""
    ours = lab.trainer(model, optimizers.adam(1e-3), ("dropout",))

    def run(key: jax.Array, shuffled: jax.Array, fit: dict, test: dict) -> dict[str, jax.Array]:
        init_key, label_key, order_key, step_key = jax.random.split(key, 4)
        random = jax.random.randint(label_key, fit["label"].shape, 0, CLASSES)
        fit = {**fit, "label": jnp.where(shuffled, random, fit["label"])}
        state = ours.init(lab.first_variables(model, init_key, fit))

        def update(state: training.TrainState, rows: jax.Array) -> tuple[Any, jax.Array]:
            batch = jax.tree.map(lambda values: jnp.asarray(values)[rows], fit)
            state, _ = ours.step(state, batch, step_key)
            sums = ours.evaluate(ours.variables(state), batch)
            return state, sums["accuracy"] / BATCH  # as printed: after the update

        def epoch(state: training.TrainState, number: jax.Array) -> tuple[Any, dict]:
            key = jax.random.fold_in(order_key, number)
            rows = data.epoch_order(key, len(fit["label"]), BATCH).indices
            state, literal = jax.lax.scan(update, state, rows)
            out = {"literal": jnp.mean(literal)}
            for name, examples in (("train", fit), ("test", test)):
                sums = ours.evaluate(ours.variables(state), examples)
                out[name] = sums["accuracy"] / sums["weight"]
            return state, out

        return jax.lax.scan(epoch, state, jnp.arange(epochs))[1]

    return run


def judge(results: dict[str, Any]) -> list[Verdict]:
    """For both kinds of label: over the test, and nearer to the training accuracy."""
    shown, told = [], []
    for kind in KINDS:
        literal, train, test = (100 * results[kind][name][:, -1] for name in CURVES)
        shown.append(np.all((literal > test) & (literal - test > np.abs(literal - train))))
        told.append(
            f"with {kind} labels the printed line says {literal.mean():.1f} %, the training "
            f"examples {train.mean():.1f} %, the test {test.mean():.1f} %"
        )
    return [demonstration("E-16", all(shown), "; ".join(told))]


def draw(results: dict[str, Any]) -> Figure:
    """The three accuracies for true and for random labels."""
    fig, panels = figure(1, 2, width=5.6, height=4.8)
    for axes, kind in zip(panels, KINDS, strict=True):
        found = results[kind]
        epochs = np.arange(1, found["test"].shape[1] + 1)
        for name, (colour, line, label) in CURVES.items():
            mean, low, high = 100 * np.array([interval(column) for column in found[name].T]).T
            band(axes, epochs, mean, low, high, color=colour, linestyle=line, label=label)
        axes.set(xlabel="epoch", ylabel="accuracy / %", ylim=(0, 103))
        axes.legend(loc="lower right" if kind == "true" else "upper left")
    name, seeds = data_name(results["data_set"]), len(results["true"]["test"])
    panels[0].set_title(f"True labels: {name}, {results['examples'][0]:.0f} examples")
    panels[1].set_title(f"Random labels: mean and 95 % of {seeds} seeds")
    return fig
