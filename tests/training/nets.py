"""A small classifier and examples that the tests of this room share."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks import training
from jaxtricks.normalization import BatchNorm


class Net(nn.Module):
    """One hidden layer with dropout and, if asked for, batch norm."""

    rate: float = 0.0
    batch_norm: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.tanh(nn.Dense(16)(x.reshape(len(x), -1)))
        if self.batch_norm:
            x = BatchNorm(axis_name=self.axis_name)(x, train=train)
        return nn.Dense(3)(nn.Dropout(self.rate, deterministic=not train)(x))


def examples(size=48, seed=0):
    """Images of three classes that differ in their brightest column."""
    rng = np.random.default_rng(seed)
    label = np.arange(size, dtype=np.int32) % 3
    image = rng.integers(0, 100, (size, 4, 3, 1), dtype=np.uint8)
    image[np.arange(size), :, label] += 80
    return {"image": image, "label": label}


def start(net, tx, seed=0, **options):
    """A trainer of the net's classification loss, and its first state."""
    trainer = training.trainer(training.classification_loss(net), tx, **options)
    return trainer, trainer.init(initial(net.clone(axis_name=None), seed))


@functools.partial(jax.jit, static_argnums=0)
def initial(net, seed):
    """One program instead of many small ones."""
    return net.init(jax.random.key(seed), jnp.zeros((1, 4, 3, 1)), train=False)
