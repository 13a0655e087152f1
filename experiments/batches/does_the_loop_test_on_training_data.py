"""Does the loop of the lecture test on training data?

000:77-84: inside the loop over batches, after the update, the line under "# test" calls the network
on x, the training batch (E-16); right is another loader after the epoch. The notes' network
(784-256-128-64-32-10 ReLU, dropout 0.5 twice; MNIST, digits where it is not prepared), Adam,
batches of 32, trained on true and, as a control, on random labels. Per epoch: the mean accuracy of
the literal line over the epoch's batches, and the accuracies on all training and all test examples
after it. Confirmed if at the end the literal accuracy is above that of the test (paired over
seeds) for both kinds of label, and nearer to the training than to the test accuracy: the
difference is the generalisation gap.

Command: python -m experiments --only does_the_loop_test_on_training_data      (CPU, about 50 s)
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import COLOURS, LITERAL, RIGHT, band, figure, interval
from experiments.engine.before import Verdict, combine, paired
from jaxtricks import data, models, optimizers, training

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-16",)
TIER = 2

BATCH, CLASSES = 32, 10
KINDS = ("true", "random")
CURVES = {  # name: (colour, line, label)
    "literal": (LITERAL, "-", "literal: the batch just learnt from"),
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
    ours = networks.trainer(model, optimizers.adam(1e-3), ("dropout",))

    def run(key: jax.Array, shuffled: jax.Array, fit: dict, test: dict) -> dict[str, jax.Array]:
        init_key, label_key, order_key, step_key = jax.random.split(key, 4)
        random = jax.random.randint(label_key, fit["label"].shape, 0, CLASSES)
        fit = {**fit, "label": jnp.where(shuffled, random, fit["label"])}
        state = ours.init(networks.first_variables(model, init_key, fit))

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
    parts = []
    for kind in KINDS:
        literal, train, test = (results[kind][name][:, -1] for name in CURVES)
        text = (
            f"{kind} labels: literal {literal.mean():.1%}, training {train.mean():.1%}, test "
            f"{test.mean():.1%}, literal less test"
        )
        parts.append(paired("E-16", literal - test, text, claimed="positive"))
        nearer = np.abs(literal - test) - np.abs(literal - train)
        text = "its distance from the test's less that from the training's"
        parts.append(paired("E-16", nearer, text, claimed="positive"))
    verdict = combine("E-16", parts)
    return [dataclasses.replace(verdict, measured=f"{results['data_set']}: {verdict.measured}")]


def draw(results: dict[str, Any]) -> Figure:
    """The three accuracies for true and for random labels, and the gaps."""
    fig, (*panels, gaps) = figure(1, 3, width=4.5, height=3.5)
    for axes, kind in zip(panels, KINDS, strict=True):
        found = results[kind]
        epochs = np.arange(1, found["test"].shape[1] + 1)
        for name, (colour, line, label) in CURVES.items():
            mean, low, high = 100 * np.array([interval(column) for column in found[name].T]).T
            band(axes, epochs, mean, low, high, color=colour, linestyle=line, label=label)
        axes.set(
            xlabel="epoch", ylabel="accuracy, %", ylim=(0, 103), title=f"{kind} labels",
        )  # fmt: skip
        axes.legend(loc="lower right" if kind == "true" else "upper left")
    for i, kind in enumerate(KINDS):
        for name, line in (("literal", "-"), ("train", "--")):
            gap = 100 * np.mean(results[kind][name] - results[kind]["test"], axis=0)
            label = f"{kind} labels: {name} - test"
            gaps.plot(np.arange(1, len(gap) + 1), gap, line, color=COLOURS[i], label=label)
    seeds = len(results["true"]["test"])
    gaps.set(
        xlabel="epoch", ylabel="percentage points",
        title=f"{results['data_set']}, {results['examples'][0]:.0f} examples, {seeds} seeds",
    )  # fmt: skip
    gaps.legend()
    return fig
