"""Networks on real images, trained as one scan with a rate for every update."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from experiments.lab.images import Examples, halved
from jaxtricks import data, training


def read_images(
    wanted: str, count: int, *, validation: float = 0.2, halve: bool = True
) -> tuple[list[Examples], str]:
    """Training, validation and test examples and the set's name: `wanted`, or else digits.

    `count` are for training, the share `validation` of them set apart, and at most `count` for the
    test. `halve`: pixels are averaged over 2 x 2 blocks; those of digits already are, over 4 x 4.
    """
    name = wanted if data.available(wanted) else "digits"
    splits = data.load(name, limit=count, validation=validation)
    if halve and name != "digits":
        splits = [{**split, "image": halved(split["image"])} for split in splits]
    return list(splits), name


def order_of(key: jax.Array, size: int, steps: int, batch: int) -> data.Order:
    """Reshuffled epochs one after another, cut into batches of any size.

    Equal keys give equal streams: two batch sizes see the same examples in the same order.
    """

    def epoch(number: jax.Array) -> jax.Array:
        return data.epoch_order(jax.random.fold_in(key, number), size, size).indices[0]

    places = jax.lax.map(epoch, jnp.arange(-(-steps * batch // size))).reshape(-1)
    indices = places[: steps * batch].reshape(steps, batch)
    return data.Order(indices, jnp.ones(indices.shape))


def first_variables(model: nn.Module, key: jax.Array, examples: Examples) -> dict[str, Any]:
    """A model's variables before the first update, for images like these."""
    return model.init(key, jnp.zeros((1, *examples["image"].shape[1:])), train=False)


def trainer(
    model: nn.Module, tx: optax.GradientTransformation, rng_streams: Sequence[str] = ()
) -> training.Trainer:
    """Cross-entropy training by `tx`, without diagnostics."""
    loss = training.classification_loss(model)
    return training.trainer(loss, tx, rng_streams=rng_streams, diagnostics=False)
