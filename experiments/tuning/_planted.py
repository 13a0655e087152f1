"""Runs with something wrong on purpose, and what each diagnosis asks to change."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from experiments import lab
from jaxtricks import models, optimizers, training

BATCH, MOMENTUM = 64, 0.9
LARGEST, LONGEST = 300, 270  # units of a layer and epochs of a run, beyond which nothing is done
CURVES = (
    "train.loss",
    "train.accuracy",
    "train.learning_rate",
    "train.gradient_norm",
    "validation.loss",
    "validation.accuracy",
)


class Setting(NamedTuple):
    """One run, wrong or right.

    Attributes:
        hidden: units of the hidden layers of a ReLU network.
        epochs: passes.
        examples: of the training set.
        noise: share of them with a random label.
        rate: of momentum SGD.
        scale: factor of all initial weights; 1 is He's.
        decay: L2 on the weights.
        drop: drop rate of the hidden units.
        until: share of the run after which the rate drops.
        factor: to which part of itself.
    """

    hidden: tuple[int, ...] = (100,)
    epochs: int = 30
    examples: int = 4000
    noise: float = 0.0
    rate: float = 0.05
    scale: float = 1.0
    decay: float = 1e-3
    drop: float = 0.2
    until: float = 0.7
    factor: float = 0.1

    @property
    def shape(self) -> tuple[Any, ...]:
        """What a compiled program is of."""
        return self[:4]


NONE = "none"
CAUSES = (
    "diverged",
    "rate too high",
    "bad start",
    "decayed too early",
    "overfit",
    "plateau",
    "underfit",
    "still falling",
)
TRACED = ("rate", "scale", "decay", "drop", "until", "factor")


def plant(cause: str, u: float, right: Setting) -> Setting:
    """A run with this cause, worse the larger `u`, from 0 to 1."""
    wrong: dict[str, Any] = {
        NONE: {},
        "diverged": {"rate": right.rate * 10 ** (2.5 + u)},
        "rate too high": {"rate": right.rate * 10 ** (0.9 + 0.4 * u), "hidden": (100, 100, 100)},
        "bad start": {"hidden": (100, 100, 100), "scale": 0.17 - 0.04 * u},
        "decayed too early": {"until": 0.25 - 0.15 * u, "factor": 0.01, "rate": right.rate / 5},
        "overfit": {
            "examples": right.examples // 4,
            "epochs": 3 * right.epochs,
            "noise": 0.1,
            "drop": 0.0,
            "decay": 0.0,
            "rate": right.rate * 10 ** (u - 0.5),
        },
        "plateau": {"until": 1.0, "rate": right.rate * 10 ** (0.7 + 0.3 * u)},
        "underfit": {"hidden": (3,), "drop": 0.0, "rate": right.rate * 10 ** (u - 0.5)},
        "still falling": {"rate": right.rate * 10 ** (-1.0 - u), "until": 1.0},
    }[cause]
    return right._replace(**wrong)


def act(finding: str, setting: Setting) -> Setting:
    """The setting after what `diagnose` advises, as far as there is room; without one it stays."""
    if finding in ("diverged", "dead", "rate too high"):
        return setting._replace(rate=setting.rate / 10)
    if finding == "rate too low":
        return setting._replace(rate=setting.rate * 10)
    if finding == "bad start":
        return setting._replace(scale=1.0)
    if finding == "decayed too early":
        return setting._replace(until=0.7)
    if finding == "overfit":
        return setting._replace(drop=0.5, decay=max(10 * setting.decay, 1e-2))
    if finding == "plateau":
        return setting._replace(until=0.7, factor=0.1)
    if finding == "underfit":
        larger = tuple(max(width, min(10 * width, LARGEST)) for width in setting.hidden)
        return setting._replace(hidden=larger, drop=0.0)
    if finding == "still falling":
        return setting._replace(epochs=max(setting.epochs, min(3 * setting.epochs, LONGEST)))
    return setting


def learner(hidden: Sequence[int], epochs: int, examples: int, noise: float) -> Callable[..., Any]:
    """`(key, trial, images) -> curves and test accuracy`, with the traced part of a setting."""

    def run(key: jax.Array, trial: Mapping[str, Any], images: Sequence[Any]) -> dict[str, Any]:
        pool, validation, test = images
        subset_key, init_key, run_key = jax.random.split(key, 3)
        few = lab.subset(subset_key, pool, examples, noise=noise)
        net = models.MLP((*hidden, 10), dropout_rates=trial["drop"])
        steps = epochs * math.ceil(examples / BATCH)

        def rate(count: Any) -> Any:
            return trial["rate"] * jnp.where(count < trial["until"] * steps, 1.0, trial["factor"])

        rule = optax.chain(
            optimizers.add_l2(trial["decay"], mask=optimizers.weights_only),
            optimizers.momentum(rate, decay=MOMENTUM),
        )
        ours = training.trainer(training.classification_loss(net), rule, diagnostics=True)
        variables = lab.first_variables(net, init_key, few)
        scaled = jax.tree.map(lambda leaf: trial["scale"] * leaf, variables)
        ended = training.run(
            ours,
            ours.init(scaled),
            few,
            validation,
            key=run_key,
            epochs=epochs,
            batch_size=BATCH,
        )
        parts = {"train": ended.train, "validation": ended.validation}
        named = {f"{part}.{k}": v for part, rows in parts.items() for k, v in rows.items()}
        error = lab.measure(ours, ours.variables(ended.state), test)["error"]
        return {**{name: named[name] for name in CURVES}, "test": 100 - error}

    return run
