"""Races of optimizers: several rules as one, so that their race is one program."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import lab
from experiments.engine import Arm, tune
from jaxtricks import optimizers, schedules


def one_of(makers: Sequence[Callable[..., optax.GradientTransformation]]) -> lab.Rule:
    """`makers[trial["rule"]](trial["rate"])`; all take each gradient: one program for all rules."""

    def rule(trial: dict[str, jax.Array]) -> optax.GradientTransformation:
        every = [make(trial["rate"]) for make in makers]

        def init(params: Any) -> tuple:
            return tuple(tx.init(params) for tx in every)

        def update(updates: Any, state: tuple, params: Any = None) -> tuple[Any, tuple]:
            pairs = [tx.update(updates, own, params) for tx, own in zip(every, state, strict=True)]
            steps, state = zip(*pairs, strict=True)
            return jax.tree.map(lambda *s: jnp.stack(s)[trial["rule"]], *steps), state

        return optax.GradientTransformation(init, update)

    return rule


def adam_then_sgd(steps: int) -> lab.Rule:
    """Adam for `trial["when"]` updates, then momentum SGD whose rate falls to 0 as a cosine.

    `when` = 0 is momentum SGD alone, `when` = `steps` Adam alone: all arms are one program.
    `trial["decay"]` is Adam's beta_1 and SGD's rho. If `trial["falling"]`, Adam's rate falls as a
    cosine over all `steps` too, else it is constant.
    """
    falling = schedules.cosine_decay(1.0, steps)

    def rule(trial: dict[str, jax.Array]) -> optax.GradientTransformation:
        faster = steps / jnp.maximum(steps - trial["when"], 1)

        def adam_rate(count: jax.Array) -> jax.Array:
            return trial["adam rate"] * jnp.where(trial["falling"], falling(count), 1.0)

        def sgd_rate(count: jax.Array) -> jax.Array:
            return trial["sgd rate"] * falling(faster * count)

        return optimizers.adam_to_sgd(
            adam_rate,
            when=trial["when"],
            sgd_learning_rate=sgd_rate,
            momentum=trial["decay"],
            b1=trial["decay"],
        )

    return rule


def arms(steps: int, trials: int, shares: tuple[float, ...]) -> dict[str, dict[str, np.ndarray]]:
    """Trials of "sgd", "adam", "adam, decayed" and "switch at S" for Adam's share S of the updates.

    Every arm has two hyper-parameters to search, at the same random places of its ranges: a rate
    over three decades around the usual one, 1e-3 to 1 for SGD, 3e-5 to 3e-2 for Adam, and 1 - decay
    from 0.01 to 0.3; with a switch both rates, and decay 0.9.
    """
    first, second = np.random.default_rng(0).random((2, trials))
    shape = (trials,)

    def trial(when: int, sgd_place: np.ndarray, decay: np.ndarray, *, falling: bool = False) -> Any:
        return {
            "adam rate": np.float32(3e-5 * 1000**first),
            "sgd rate": np.float32(1e-3 * 1000**sgd_place),
            "decay": np.float32(decay),
            "when": np.full(shape, when, np.int32),
            "falling": np.full(shape, falling),
        }

    decay = 1 - 0.01 * 30**second
    return {
        "sgd": trial(0, first, decay),
        "adam": trial(steps, first, decay),
        "adam, decayed": trial(steps, first, decay, falling=True),
        **{
            f"switch at {share:g}": trial(round(share * steps), second, np.full(shape, 0.9))
            for share in shares
        },
    }


def switching_race(model: nn.Module, config: Any, shares: Sequence[float]) -> dict[str, Any]:
    """All arms, with switches after `shares` of the updates, tuned and tested as `config` says.

    By arm: errors in percent `[trial, tuning seed]`, the best trial, and its curves `[seed, part]`.
    """
    images = lab.split(config.data_set, config.count, test=2000)
    race = lab.racer(model, images, adam_then_sgd(config.steps), steps=config.steps)
    field = arms(config.steps, config.trials, shares)
    found = tune(
        jax.random.key(0),
        {name: Arm(race, trials, lab.held_back) for name, trials in field.items()},
        tuning_seeds=config.tuning_seeds,
        seeds=config.seeds,
    )
    return {
        "data_set": images.name,
        "steps": config.steps,
        "tuning": {name: tuned.tuning for name, tuned in found.items()},
        "best": {name: tuned.trial for name, tuned in found.items()},
        "loss": {name: tuned.tested["loss"] for name, tuned in found.items()},
        "error": {name: tuned.tested["error"] for name, tuned in found.items()},
    }
