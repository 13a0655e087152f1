"""At which layers can dropout stand?

001:89 says at any. 001's network (64 pixels of the digits, 200 and 200 units, dropout in front of
ReLU) is trained with dropout at the rate 0.5 at one place at a time: on the input, behind the first
and the second dense layer, and on the logits. C-070: at each place all numbers must stay finite,
the loss on the training images (in evaluation) must fall, and the test accuracy must be over three
times chance; what each place costs against no dropout stands beside. As a control the rate 1 must
fail at every place. Momentum 0.9, a rate that falls from 0.1 to 0, batches of 32, 5 epochs.

Command: python -m experiments --only at_which_layers_can_dropout_stand      (CPU, about 40 s)
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    figure,
    holds,
    interval,
    mean,
    over,
    part_of,
    under,
)
from jaxtricks import models
from jaxtricks.regularizers import Dropout

FIGURES = ()
CLAIMS = ("C-070",)
TIER = 2

PLACES = ("input", "first hidden layer", "second hidden layer", "logits")
RATE, BATCH, LEARNING_RATE, CHANCE = 0.5, 32, 0.1, 10.0
PLANS = {
    "C-070": Plan(
        effects={"times chance": 3.0},
        gates=("rate 1",),
        settings={"drop rate": RATE, "batch": BATCH, "learning rate": LEARNING_RATE},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`width` of both hidden layers; `epochs` of training."""

    width: int = 200
    epochs: int = 5
    seeds: int = 20
    seed: int = 16_070


SMOKE = Config(width=16, epochs=1, seeds=2)
FULL = Config(epochs=50, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Losses before and after, and test accuracies, `[seed]` or `[place, seed]`."""
    images = lab.read("digits", pool=4000, validation=400)
    one_place = np.eye(len(PLACES), dtype=np.float32)
    rates = np.concatenate([np.zeros((1, len(PLACES)), np.float32), RATE * one_place, one_place])
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    run_one = functools.partial(trained, config)
    found = lab.over(run_one, rates, keys, (images.pool, images.test))
    arms = {"none": 0, "dropped": slice(1, 1 + len(PLACES)), "rate 1": slice(1 + len(PLACES), None)}
    return {
        "data_set": images.name,
        "arms": {name: jax.tree.map(lambda x, a=a: x[a], found) for name, a in arms.items()},
        "examples": [len(images.pool["label"]), len(images.test["label"])],
        "width": config.width,
        "epochs": config.epochs,
    }


def net(width: int, rates: jax.Array) -> models.Sequential:
    """001's network with dropout of its own rate at every place; the rates may be traced."""
    places = [Dropout(rates[i]) for i in range(len(PLACES))]
    first, second, logits = nn.Dense(width), nn.Dense(width), nn.Dense(10)
    hidden = [first, places[1], nn.relu, second, places[2], nn.relu]
    return models.Sequential([models.flatten, places[0], *hidden, logits, places[3]])


def trained(
    config: Config, key: jax.Array, rates: jax.Array, pool: Any, test: Any
) -> dict[str, jax.Array]:
    """One run: loss before and after, test accuracy, whether all weights are finite."""
    model = net(config.width, rates)
    init_key, train_key = jax.random.split(key)
    steps = config.epochs * (len(pool["label"]) // BATCH)
    rule = lab.momentum_to_zero(LEARNING_RATE, steps=steps)
    ours = lab.trainer(model, rule, ("dropout",))
    first = lab.first_variables(model, init_key, pool)
    options = {"epochs": config.epochs, "batch": BATCH}
    last = ours.variables(lab.train(ours, first, pool, key=train_key, **options)[0])
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(last)]
    return {
        "before": lab.measure(ours, first, pool)["loss"],
        "after": lab.measure(ours, last, pool)["loss"],
        "accuracy": 100 - lab.measure(ours, last, test)["error"],
        "finite": jnp.all(jnp.stack(finite)),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-070 by all three statements at every place."""
    arms, bound = results["arms"], PLANS["C-070"].effects["times chance"]
    dropped, ones = arms["dropped"], arms["rate 1"]
    parts, costs = [], []
    for i, place in enumerate(PLACES):
        falls = np.log10(dropped["after"][i] / dropped["before"][i])
        parts.append(
            part_of(
                [
                    holds(f"{place}: all weights finite", bool(dropped["finite"][i].all())),
                    under(f"{place}: log10 of the loss after over before", falls, 0.0, panel="a"),
                    over(
                        f"{place}: test accuracy over chance",
                        dropped["accuracy"][i] / CHANCE,
                        bound,
                        panel="b",
                    ),
                ],
                "all",
            )
        )
        cost = interval(arms["none"]["accuracy"] - dropped["accuracy"][i])
        costs.append("{}: {:.1f} [{:.1f}, {:.1f}]".format(place, *cost))
    failing = [mean(values / CHANCE) for values in ones["accuracy"]]
    highest = max(failing, key=lambda found: found.high)
    train, test = results["examples"]
    return [
        all_of(
            "C-070",
            parts,
            gates=[
                Gate(
                    "rate 1",
                    highest.high < bound,
                    f"test accuracy over chance {highest.value:.2f} [{highest.low:.2f}, "
                    f"{highest.high:.2f}] at the place where it is highest",
                )
            ],
            scope=f"digits, {train:.0f} training and {test:.0f} test images, two hidden layers of "
            f"{results['width']:.0f} units, drop rate {RATE} in front of ReLU, momentum SGD, batch "
            f"{BATCH}, {results['epochs']:.0f} epochs, float32",
            beside=["points of test accuracy lost against no dropout: " + "; ".join(costs)],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Losses before and after, and accuracies, place by place."""
    fig, (losses, accuracies) = figure(1, 2, width=5.8, height=4.8)
    arms = results["arms"]
    names = ["none", *PLACES]
    for colour, key in ((COLOURS[0], "before"), (COLOURS[1], "after")):
        rows = [interval(arms["none"][key]), *map(interval, arms["dropped"][key])]
        bars(losses, names, rows, 0.18 if key == "after" else -0.18, colour, key)
    losses.set(yscale="log", ylabel="loss on the training images (nats)", ylim=(0.01, 30))
    losses.set_title(f"mean and 95 % of {len(arms['none']['after'])} seeds")
    rows = [interval(arms["none"]["accuracy"]), *map(interval, arms["dropped"]["accuracy"])]
    bars(accuracies, names, rows, -0.18, COLOURS[0], f"drop rate {RATE} (none: 0)")
    ones = [(np.nan,) * 3, *map(interval, arms["rate 1"]["accuracy"])]
    bars(accuracies, names, ones, 0.18, "grey", "control: drop rate 1")
    bound = CHANCE * PLANS["C-070"].effects["times chance"]
    accuracies.axhline(bound, color="black", ls="--", lw=1, label="three times chance")
    accuracies.set(ylabel="test accuracy, %", ylim=(0, 140), yticks=range(0, 101, 20))
    accuracies.set_title("dropout at one place at a time")
    for axes in (losses, accuracies):
        axes.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
        axes.grid(visible=False, axis="x")
        axes.legend(loc="upper right")
    return fig


def bars(axes: Axes, names: list[str], rows: Any, shift: float, colour: str, label: str) -> None:
    """Means with their intervals, beside each name."""
    values, lows, highs = np.array(rows).T
    ends = np.array([values - lows, highs - values])
    at = np.arange(len(names)) + shift
    axes.bar(at, values, 0.34, yerr=ends, capsize=3, color=colour, label=label)
