"""What the layers' golden tables cover, and on which numbers. Data only."""

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """A preset's arguments, in the framework's own names, and the shape of a batch."""

    arguments: dict
    shape: tuple[int, ...]


CASES = {
    "torch": [
        Case({}, (6, 3)),
        Case({}, (4, 5, 2, 3)),
        Case({"eps": 1e-2, "momentum": 0.3}, (4, 5, 2, 3)),
        Case({"affine": False, "momentum": 1.0}, (6, 3)),
    ],
    "keras": [
        Case({}, (6, 3)),
        Case({}, (4, 5, 2, 3)),
        Case({"momentum": 0.7, "epsilon": 1e-5, "center": False}, (4, 5, 2, 3)),
        Case({"axis": 1, "scale": False}, (6, 3, 4)),
    ],
}


def problem(shape, number):
    """Four batches with features of unlike means and scales, a target, and parameters.

    No mean is over three deviations, because Keras takes the variance as E[x^2] - E[x]^2 in
    float32: at a mean of 500 deviations its own outputs are wrong by 1e-3.
    """
    import jax

    keys = jax.random.split(jax.random.key(number), 4)
    scales, means = np.logspace(-2, 1, shape[-1]), np.linspace(-3, 3, shape[-1])
    batches = np.asarray(jax.random.normal(keys[0], (4, *shape))) * scales + scales * means
    target = np.asarray(jax.random.normal(keys[1], shape))
    values = {"scale": jax.random.normal(keys[2], (3,)), "bias": jax.random.normal(keys[3], (3,))}
    return batches.astype(np.float32), target, {name: np.asarray(x) for name, x in values.items()}
