"""Races: one network, one number of updates, any rule, and what was learned after each part."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.custom_batching import sequential_vmap

from experiments import networks
from jaxtricks import training

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
