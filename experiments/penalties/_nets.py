"""ReLU nets trained on few images with penalties on their weights and biases."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments import lab
from jaxtricks import models, optimizers, training
from jaxtricks.regularizers import l1, l2


class Recipe(NamedTuple):
    """How a net is trained: momentum whose rate falls to 0, on images that its seed draws.

    Attributes:
        hidden: units of the hidden layers.
        count: images that the seed draws.
        batch: images of an update.
        epochs: passes over them.
        rate: the first learning rate.
    """

    hidden: tuple[int, ...] = (64,)
    count: int = 1000
    batch: int = 50
    epochs: int = 60
    rate: float = 0.1


class Trained(NamedTuple):
    """A net at the end, what trained it, and the images that it saw."""

    trainer: training.Trainer
    state: training.TrainState
    examples: Any

    def losses(self, images: lab.Images) -> dict[str, dict[str, jax.Array]]:
        """Loss in nats and error in percent on its own images and on two sets of others."""
        sets = {"train": self.examples, "validation": images.validation, "test": images.test}
        variables = self.trainer.variables(self.state)
        return {name: lab.measure(self.trainer, variables, some) for name, some in sets.items()}


def train(
    key: jax.Array, trial: Mapping[str, Any], pool: lab.images.Examples, recipe: Recipe
) -> Trained:
    """Trains on the mean cross-entropy and the penalties of the trial.

    Args:
        key: decides the images, the first weights and the order.
        trial: strengths "L1" and "L2" (halved) of the weights, "biases" of the L2 penalty on the
            others; "offset" that is added to all pixels. What is missing is 0.
        pool: to draw the images from.
        recipe: the rest.
    """
    draw_key, init_key, run_key = jax.random.split(key, 3)
    net = models.MLP((*recipe.hidden, 10))

    def preprocess(images: jax.Array) -> jax.Array:
        return images.astype(jnp.float32) / 255 + trial.get("offset", 0.0)

    def penalty(params: Any) -> jax.Array:
        on_weights = l1(params, trial.get("L1", 0.0), mask=optimizers.weights_only)
        on_weights += l2(params, trial.get("L2", 0.0), mask=optimizers.weights_only)
        return on_weights + l2(params, trial.get("biases", 0.0), mask=biases_only)

    steps = recipe.epochs * (recipe.count // recipe.batch)
    ours = training.trainer(
        training.classification_loss(net, preprocess=preprocess),
        lab.momentum_to_zero(recipe.rate, steps=steps),
        penalty=penalty,
        diagnostics=False,
    )
    examples = lab.subset(draw_key, pool, recipe.count)
    start = lab.first_variables(net, init_key, pool)
    state, _ = lab.train(
        ours, start, examples, key=run_key, epochs=recipe.epochs, batch=recipe.batch
    )
    return Trained(ours, state, examples)


def biases_only(params: Any) -> Any:
    """The mask of all that `weights_only` leaves out."""
    return jax.tree.map(lambda chosen: not chosen, optimizers.weights_only(params))
