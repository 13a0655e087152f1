"""A network with batch norm, and the statistics by which it can normalise in the test."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments import lab
from jaxtricks import averaging, models, training
from jaxtricks.normalization import BatchNorm

WHOLE, MOVING, BATCHES, RUN = STATISTICS = (
    "whole set", "moving average", "training batches", "batches of the whole run",
)  # fmt: skip
FIRST, LAST = "layers_1", "layers_5"  # batch norms; no other one changes the inputs of the first
CHUNK = 1024  # images that go through the network at a time


def network(features: Sequence[int], decay: float) -> models.Sequential:
    """Convolutions, each with batch norm, a rectifier and pooling, and a dense layer.

    The variances that batch norm keeps are times N / (N - 1).
    """
    layers: list[Any] = []
    for size in features:
        norm = BatchNorm(decay=decay, unbiased_running_var=True)
        layers += [models.Conv(size, use_bias=False), norm, nn.relu, models.max_pool]
    return models.Sequential([*layers, models.flatten, nn.Dense(10)])


@functools.cache
def learner(
    features: Sequence[int],
    *,
    decay: float,
    count: int,
    batch: int,
    epochs: int,
    follow: bool = False,
) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, pool, validation, test)`, which trains and measures one network.

    Args:
        features: channels of the convolutions.
        decay: of the moving average.
        count: training images.
        batch: examples of an update.
        epochs: passes.
        follow: whether a unit's means are followed, and nothing else is measured.
    """
    net = network(features, decay)
    steps = epochs * (count // batch)
    loss = recorded(training.classification_loss(net), decay)

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, count)
        rule = lab.momentum_to_zero(trial["rate"], steps=steps)
        ours = training.trainer(loss, rule, diagnostics=False)
        start = lab.first_variables(net, init_key, fit)
        start |= {"seen": nothing(start["batch_stats"], rows=steps if follow else 1)}
        options = {"key": run_key, "epochs": epochs, "batch": batch}
        if follow:
            look = functools.partial(distance, net, fit)
            state, seen = lab.train(ours, start, fit, look=look, **options)
            return {**seen, "means": state.model_state["seen"]["means"]}
        state, _ = lab.train(ours, start, fit, **options)
        own = kinds(net, fit, state, batch)
        stacked = jax.tree.map(lambda *each: jnp.stack(each), *(own[kind] for kind in STATISTICS))

        def errors(some: Any) -> jax.Array:
            def error(stats: Any) -> jax.Array:
                variables = {**ours.variables(state), "batch_stats": stats}
                return lab.measure(ours, variables, some)["error"]

            return jax.lax.map(error, stacked)

        judged = errors(validation)[:3]  # all but those of the whole run
        off = {f"{kind} off": apart(own[kind][FIRST], own[WHOLE][FIRST]) for kind in (BATCHES, RUN)}
        tested = dict(zip(STATISTICS, errors(test), strict=True))
        return {"validation error": jnp.mean(judged), **tested, **off}

    return run


def nothing(stats: Any, *, rows: int) -> dict[str, Any]:
    """The record before the first update; so many of the first rows of means are kept."""
    zeros = jax.tree.map(jnp.zeros_like, stats)
    return {"total": zeros, "means": jnp.zeros((rows, 2)), "step": jnp.int32(0)}


def recorded(loss: Any, decay: float) -> Any:
    """The same loss, which adds up the batches' own statistics, and keeps a unit's means.

    A moving average tells the statistics of a batch, because it moves towards them. A row of means
    has the batch's own and the moving one.
    """

    def own(new: jax.Array, old: jax.Array) -> jax.Array:
        return (new - decay * old) / (1 - decay)

    def with_record(params: Any, model_state: Any, batch: Any, keys: Any, *, train: bool) -> Any:
        state = {"batch_stats": model_state["batch_stats"]}
        losses, (after, metrics) = loss(params, state, batch, keys, train=train)
        seen = model_state["seen"]
        if train:
            stats = jax.tree.map(own, after["batch_stats"], state["batch_stats"])
            row = [tree[LAST]["mean"][0] for tree in (stats, after["batch_stats"])]
            seen = {
                "total": jax.tree.map(jnp.add, seen["total"], stats),
                "means": seen["means"].at[seen["step"]].set(jnp.stack(row), mode="drop"),
                "step": seen["step"] + 1,
            }
        return losses, ({**after, "seen": seen}, metrics)

    return with_record


def distance(net: nn.Module, fit: Any, state: training.TrainState) -> dict[str, jax.Array]:
    """A unit's mean over the whole set, and how far the moving means of its layer are from it.

    The distance of all means is in percent of their norm.
    """
    whole = whole_set(net, fit, state)[LAST]["mean"]
    moving = state.model_state["batch_stats"][LAST]["mean"]
    gap = 100 * jnp.linalg.norm(moving - whole) / jnp.linalg.norm(whole)
    return {"whole": whole[0], "gap": gap}


def whole_set(net: nn.Module, fit: Any, state: training.TrainState) -> Any:
    """Statistics of the whole training set at the state's weights."""
    variables = {"params": state.params, "batch_stats": state.model_state["batch_stats"]}
    apply, images = functools.partial(net.apply, train=False), jnp.float32(fit["image"]) / 255
    chunk = min(CHUNK, len(images))
    return averaging.measure_batch_norm(apply, variables, images, chunk)["batch_stats"]


def kinds(net: nn.Module, fit: Any, state: training.TrainState, batch: int) -> dict[str, Any]:
    """The four kinds of statistics at the end of a run; the first and third are at its weights."""

    def apply(variables: Any, rows: jax.Array) -> Any:
        return net.apply(variables, rows, train=True, mutable=["batch_stats"])[1]

    moving, images = state.model_state["batch_stats"], jnp.float32(fit["image"]) / 255
    variables = {"params": state.params, "batch_stats": moving}
    batches = averaging.recalibrate_batch_norm(apply, variables, images, batch)
    return {
        WHOLE: whole_set(net, fit, state),
        MOVING: moving,
        BATCHES: batches["batch_stats"],
        RUN: jax.tree.map(lambda x: x / state.step, state.model_state["seen"]["total"]),
    }


def apart(own: Any, whole: Any) -> jax.Array:
    """The rms over units between two means, in the whole set's deviations."""
    return jnp.sqrt(jnp.mean((own["mean"] - whole["mean"]) ** 2 / whole["var"]))
