"""A small run with all that is easily lost: dropout, running averages, moments, a schedule."""

import functools

import flax.linen as nn
import jax
import numpy as np

from jaxtricks.optimizers import adam
from jaxtricks.schedules import cosine_decay
from jaxtricks.training import classification_loss, trainer

BATCH = 16
EPOCHS = 4


class Small(nn.Module):
    """One hidden layer with batch norm, whose shift is the bias, and dropout."""

    axis_name: str | None = None
    width: int = 16

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dense(self.width, use_bias=False)(x.reshape(len(x), -1))
        x = nn.BatchNorm(use_running_average=not train, axis_name=self.axis_name)(x)
        x = nn.Dropout(0.3, deterministic=not train)(nn.relu(x))
        return nn.Dense(3)(x)


def examples(size, seed):
    """Three kinds of pictures with noise."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, size).astype(np.int32)
    image = rng.integers(0, 150, (size, 4, 4, 1)).astype(np.uint8)
    image[np.arange(size), label] += 60
    return {"image": image, "label": label}


@functools.cache  # the same step is compiled once
def parts(*, axis_name=None, rate=0.01, width=16, steps=20, **options):
    """A trainer and its first state."""
    loss = classification_loss(Small(axis_name, width))
    ours = trainer(
        loss, adam(cosine_decay(rate, total_steps=steps)), axis_name=axis_name, **options
    )
    image = np.zeros((2, 4, 4, 1), np.float32)
    init = jax.jit(functools.partial(Small(width=width).init, train=False))
    with jax.ensure_compile_time_eval():  # whoever asks first may be traced
        return ours, ours.init(init(jax.random.key(1), image))
