"""Small sets with noisy labels, runs looked at after every epoch, and rules that stop them."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import lab
from experiments.engine import Gate
from experiments.lab.images import Examples, first, halved
from jaxtricks import control, optimizers, training

MOMENTUM = 0.9


def read(wanted: str, *, pool: int, shrink: int = 1) -> lab.Images:
    """A pool to draw from and an even number of test images; digits where `wanted` is missing.

    Args:
        wanted: name of the data set.
        pool: images to draw from.
        shrink: how often the means over 2 x 2 pixels are taken, 1 or more; digits stay as they are.
    """
    images = lab.read(wanted, pool=pool, validation=0)
    drawn, test = images.pool, first(images.test, len(images.test["label"]) // 2 * 2)
    for _ in range(shrink - 1 if images.name != "digits" else 0):
        drawn = {**drawn, "image": halved(drawn["image"])}
        test = {**test, "image": halved(test["image"])}
    return images._replace(pool=drawn, test=test)


def draw(
    key: jax.Array, pool: Examples, count: int, held_back: int, *, noise: float
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """A seed's own `count` images, some with random labels: to train with, and those held back."""
    drawn = lab.subset(key, pool, count, noise=noise)
    return cut(drawn, slice(held_back, None)), cut(drawn, slice(held_back))


def cut(examples: Examples, rows: slice) -> dict[str, Any]:
    """Some of the examples."""
    return {name: values[rows] for name, values in examples.items()}


def joined(*parts: Examples) -> dict[str, jax.Array]:
    """The examples of all parts."""
    return {name: jnp.concatenate([part[name] for part in parts]) for name in parts[0]}


def standardised(pool: Examples) -> Callable[[Any], jax.Array]:
    """Makes pixels less the pool's mean, over its standard deviation, both over all pixels."""
    pixels = jnp.asarray(pool["image"], jnp.float32)
    mean, deviation = jnp.mean(pixels), jnp.std(pixels)
    return lambda images: (jnp.asarray(images, jnp.float32) - mean) / deviation


def trainer(net: nn.Module, rate: Any, pool: Examples, *, l2: Any = None) -> training.Trainer:
    """Momentum 0.9 at a constant rate, so that a run's first epochs are those of a shorter one.

    Args:
        net: gets standardised pixels.
        rate: the learning rate.
        pool: by which they are standardised.
        l2: of the weights, added to the gradient.
    """
    rule = optimizers.momentum(rate, decay=MOMENTUM)
    if l2 is not None:
        rule = optax.chain(optimizers.add_l2(l2, mask=optimizers.weights_only), rule)
    loss = training.classification_loss(net, preprocess=standardised(pool))
    return training.trainer(loss, rule, diagnostics=False)


def curves(
    ours: training.Trainer,
    variables: Any,
    examples: Examples,
    sets: dict[str, Examples],
    *,
    key: jax.Array,
    epochs: int,
    batch: int,
) -> dict[str, jax.Array]:
    """Of every epoch: errors in percent and losses in nats of all sets, and the weights' norm."""

    def look(state: training.TrainState) -> dict[str, jax.Array]:
        variables = ours.variables(state)
        found = {
            f"{name} {metric}": value
            for name, some in sets.items()
            for metric, value in lab.measure(ours, variables, some).items()
        }
        weights = [leaf for leaf in jax.tree.leaves(state.params) if leaf.ndim > 1]
        return found | {"norm": optax.tree.norm(weights)}

    _, looks = lab.train(ours, variables, examples, key=key, epochs=epochs, batch=batch, look=look)
    return looks


def stop(rule: control.ControlRule, *observed: jax.Array) -> dict[str, jax.Array]:
    """What a rule makes of a run: the epoch of its best model, and how many epochs it trains.

    Args:
        rule: of `control`, without variables.
        observed: curves `[epoch]` of what it looks at, one, or the two of a pair.
    """

    def observe(state: control.StoppingState, values: tuple) -> tuple[Any, None]:
        return rule.update(values if len(values) > 1 else values[0], state)[1], None

    state, _ = jax.lax.scan(observe, rule.init(), observed)
    return {"best": state.best_observation, "trained": state.count}


def at(curve: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Values of curves `[seed, epoch]` after so many epochs, one a seed."""
    return np.take_along_axis(curve, np.asarray(epochs, int)[:, None] - 1, axis=1)[:, 0]


def overfits(train: np.ndarray, test: np.ndarray, *, least: float) -> Gate:
    """`fit`: at the end 99.5 % of the training images are learned, and a gap is left.

    Args:
        train: mean training errors at the end, in percent, of each setting.
        test: their mean test errors.
        least: points that these must be above those, 5 times the smallest effect that matters.
    """
    worst, gap = float(np.max(train)), float(np.min(np.asarray(test) - np.asarray(train)))
    return Gate(
        "fit",
        worst <= 0.5 and gap >= least,
        f"at the end at most {worst:.2g} % of the training images are wrong, and the gap is "
        f"{gap:.3g} points or more, {least:g} demanded",
    )
