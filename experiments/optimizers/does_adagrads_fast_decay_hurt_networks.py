"""Does AdaGrad's fast decay hurt a convolutional network?

004:215: sums of squares only grow, so that AdaGrad's rate decays too fast. A network of two
convolutions on 2,000 CIFAR-10 images averaged to 16 x 16 (or digits), batches of 32. AdaGrad;
RMSProp, which is AdaGrad but for its moving average; SGD, whose rate does not decay at all: each
with one of 10 rates over four decades, chosen by the error on 500 held-back images, mean of 2
tuning seeds. C-029: test accuracy at the end on 5 fresh seeds, AdaGrad minus RMSProp and minus
SGD, both claimed negative.

Command: python -m experiments --only does_adagrads_fast_decay_hurt_networks      (CPU, about 100 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import Arm, band, data_name, figure, interval, method, tune
from experiments.engine.before import Verdict, combine, paired
from experiments.optimizers._rules import one_of
from jaxtricks import models, optimizers

CLAIMS = ("C-029",)
TIER = 2

RULES = {
    "adagrad": optimizers.adagrad,
    "rmsprop": optimizers.rmsprop,
    "gradient descent": optimizers.gradient_descent,
}
LEAST = {"adagrad": 1e-4, "rmsprop": 1e-5, "gradient descent": 1e-3}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth to choose by; `steps`: a multiple of 10; `seeds`, others to tune.

    `features`: of the convolutions; none stands for softmax regression, because convolutions take
    long to compile.
    """

    data_set: str = "cifar10"
    count: int = 2500
    features: tuple[int, ...] = (8, 16)
    hidden: int = 32
    steps: int = 400
    rates: int = 10
    tuning_seeds: int = 2
    seeds: int = 5


SMOKE = Config("digits", 100, features=(), steps=20, rates=2, seeds=2)
FULL = Config(count=50_000, features=(32, 64), hidden=128, steps=20_000, rates=17, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Per rule: errors in percent `[rate, tuning seed]`, and curves `[seed, part]` of the best."""
    images = lab.split(config.data_set, config.count, test=2000)
    if config.features:
        model = models.SmallCNN(config.features, config.hidden)
    else:
        model = models.linear_model()
    race = lab.racer(model, images, one_of(list(RULES.values())), steps=config.steps, marks=10)
    rates = {
        name: np.geomspace(least, 1e4 * least, config.rates, dtype=np.float32)
        for name, least in LEAST.items()
    }
    found = tune(
        jax.random.key(0),
        {
            name: Arm(race, {"rate": rates[name], "rule": np.full(config.rates, i)}, lab.held_back)
            for i, name in enumerate(RULES)
        },
        tuning_seeds=config.tuning_seeds,
        seeds=config.seeds,
    )
    return {
        "data_set": images.name,
        "steps": config.steps,
        "rates": rates,
        "tuning": {name: tuned.tuning for name, tuned in found.items()},
        "best": {name: tuned.trial["rate"] for name, tuned in found.items()},
        "loss": {name: tuned.tested["loss"] for name, tuned in found.items()},
        "error": {name: tuned.tested["error"] for name, tuned in found.items()},
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """AdaGrad against the rule that forgets, and the one that does not decay."""
    accuracy = {name: 100 - errors[:, -1] for name, errors in results["error"].items()}
    each = ", ".join(
        f"{name} {values.mean():.1f} (train loss {results['loss'][name][:, -1].mean():.2f}, rate "
        f"{results['best'][name]:.2g})"
        for name, values in accuracy.items()
    )
    return [
        combine(
            "C-029",
            [
                paired("C-029", accuracy["adagrad"] - accuracy[other], text, claimed="negative")
                for other, text in (
                    ("rmsprop", f"test accuracy / %: {each}; AdaGrad minus RMSProp"),
                    ("gradient descent", "minus SGD"),
                )
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Held-back error against the rate, and curves at the best rates."""
    fig, (tuning, losses, errors) = figure(1, 3, width=5.2, height=4.4)
    for name, values in results["tuning"].items():
        rates, look = results["rates"][name], method(name)
        tuning.plot(rates, values.mean(axis=1), "o", ms=4, **look)
        tuning.plot(rates, values, ".", ms=3, alpha=0.5, **look | {"label": None, "linestyle": ""})
        for axes, key in ((losses, "loss"), (errors, "error")):
            rows = np.array([interval(column) for column in results[key][name].T])
            share = 100 * (np.arange(len(rows)) + (0.5 if key == "loss" else 1)) / len(rows)
            label = f"{name}, rate {results['best'][name]:.2g}"
            band(axes, share, *rows.T, **look | {"label": label})
            axes.set_xlabel(f"part of the {results['steps']} updates / %")
    tuning.set(xscale="log", xlabel="learning rate", ylabel="held-back error / %")
    seeds = results["tuning"]["adagrad"].shape[1]
    tuning.set_title(f"{data_name(results['data_set'])}, mean of {seeds} tuning seeds")
    tuning.set_ylim(top=108)
    tuning.legend(loc="upper center", ncols=3, columnspacing=1.0, handlelength=1.5)
    seeds = len(results["error"]["adagrad"])
    losses.set(ylabel="train loss / nats", title=f"best rates, mean and 95 % of {seeds} seeds")
    losses.set_ylim(top=losses.get_ylim()[1] + 0.3)
    losses.legend(loc="upper right")
    errors.set(ylabel="test error / %", title="the same runs")
    return fig
