"""Races of optimizers: one network, one number of updates, any rule; Adam and SGD as one rule."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.custom_batching import sequential_vmap

from experiments.engine import Arm, tune
from experiments.learning_rate import _networks as networks
from jaxtricks import optimizers, schedules, training

BATCH = 32
Rule = Callable[[Any], optax.GradientTransformation]


class Images(NamedTuple):
    """Examples to train with, to choose by and to test with, and the name of the set."""

    fit: networks.Examples
    held_back: networks.Examples
    test: networks.Examples
    name: str


def read(wanted: str, count: int) -> Images:
    """`count` images of `wanted` or else digits, a fifth of them to choose by; at most 2,000 to
    test with. Means over 2 x 2 pixels."""
    (fit, held_back, test), name = networks.read_images(wanted, count)
    return Images(fit, held_back, {key: rows[:2000] for key, rows in test.items()}, name)


def racer(
    model: nn.Module | Callable[[Any], nn.Module],
    images: Images,
    rule: Rule,
    *,
    steps: int,
    marks: int = 20,
    batch: int = BATCH,
    rng_streams: Sequence[str] = (),
) -> tuple[Callable, Callable]:
    """Makes `score(key, trial)` and `exam(key, trial)` for `tune`; `rule(trial)` is the optimizer.

    The model may be a function of the trial too. `rng_streams`: what it draws, such as "dropout".

    `score` is the error in percent on the held-back images after `steps` updates. `exam` gives, for
    each of `marks` equal parts of the run, the mean loss of its batches and the test error after
    it. A run that ends in NaN has an error of 100 %, and losses are 100 at most. The key decides
    the first weights and the order of the examples. Under `vmap` runs go one after another, which
    halves the time to compile and costs a CPU little.
    """

    def begin(key: jax.Array, trial: Any) -> tuple:
        init_key, order_key = jax.random.split(key)
        tx, net = rule(trial), model if isinstance(model, nn.Module) else model(trial)
        state = networks.start(net, tx, init_key, images.fit)
        order = networks.stream(order_key, len(images.fit["label"]), steps, batch)
        look = training.make_eval_step(training.classification_loss(net))
        return networks.make_epoch(net, tx, rng_streams), look, state, order

    def error(look: Callable, state: training.TrainState, some: networks.Examples) -> jax.Array:
        sums = look(state, some)
        wrong = 100 * (1 - sums["accuracy"] / sums["weight"])
        return jnp.where(jnp.isfinite(sums["loss"]), wrong, 100.0)

    def score(key: jax.Array, trial: Any) -> jax.Array:
        epoch, look, state, order = begin(key, trial)
        state, _ = epoch(state, images.fit, order, key)
        return error(look, state, images.held_back)

    def exam(key: jax.Array, trial: Any) -> dict[str, jax.Array]:
        epoch, look, state, order = begin(key, trial)

        def part(state: training.TrainState, rows: Any) -> tuple[Any, dict[str, jax.Array]]:
            state, metrics = epoch(state, images.fit, rows, key)
            mean = jnp.mean(metrics["loss"])
            loss = jnp.where(mean < 100, mean, 100.0)
            return state, {"loss": loss, "error": error(look, state, images.test)}

        parts = jax.tree.map(lambda x: x.reshape(marks, -1, batch), order)
        return jax.lax.scan(part, state, parts)[1]

    return sequential_vmap(score), sequential_vmap(exam)


def one_of(makers: Sequence[Callable[..., optax.GradientTransformation]]) -> Rule:
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


def adam_then_sgd(steps: int) -> Rule:
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
    images = read(config.data_set, config.count)
    score, exam = racer(model, images, adam_then_sgd(config.steps), steps=config.steps)
    field = arms(config.steps, config.trials, shares)
    found = tune(
        jax.random.key(0),
        {name: Arm(score, trials, exam) for name, trials in field.items()},
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
