"""Images and tables of handwritten digits: MNIST where it is prepared, else digits."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks import data


def read_images(count: int) -> tuple[np.ndarray, np.ndarray, str]:
    """`count` training images `[n, height, width]` from 0 to 1, their labels, the set's name."""
    name = "mnist" if data.available("mnist") else "digits"
    train = data.load(name, limit=count, validation=0, test=None if name == "mnist" else 0.2).train
    return train["image"][..., 0] / 255.0, train["label"], name


def small_digit_table(count: int) -> tuple[jax.Array, jax.Array, str]:
    """Pixels (MNIST averaged over 4 x 4 blocks), standardised, and whether the digit is over 4."""
    images, labels, name = read_images(count)
    if name == "mnist":
        images = images.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))
    pixels = images.reshape(len(images), -1)
    scaled = np.asarray(data.standardize(pixels).apply(pixels))
    inputs = np.concatenate([scaled, np.ones((len(scaled), 1), np.float32)], axis=1)
    return jnp.asarray(inputs), jnp.asarray(labels > 4, float), name
