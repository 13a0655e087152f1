"""Twenty small problems of five kinds, on which the steps of two rules are compared."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Kind(NamedTuple):
    """Problems that differ in one number.

    Attributes:
        sizes: that number, of each problem.
        data: `(key, size) -> tree` of what a problem consists of.
        loss: `(data, x) -> scalar`.
        start: `(data, key) -> x`, at random.
    """

    sizes: tuple[float, ...]
    data: Callable[[jax.Array, jax.Array], Any]
    loss: Callable[[Any, jax.Array], jax.Array]
    start: Callable[[Any, jax.Array], jax.Array]


def spectrum(key: jax.Array, condition: jax.Array) -> jax.Array:
    """Ten curvatures from 1 to the condition number."""
    del key
    return condition ** jnp.linspace(0.0, 1.0, 10)


def quadratic(curvatures: jax.Array, x: jax.Array) -> jax.Array:
    return 0.5 * jnp.sum(curvatures * x**2)


def soft_valley(curvatures: jax.Array, x: jax.Array) -> jax.Array:
    """Quadratic near the minimum, straight far from it: sqrt(1 + x^2)."""
    return jnp.sum(curvatures * (jnp.sqrt(1 + x**2) - 1))


def table(key: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Twenty examples with four features of unequal scale, and labels that these explain partly."""
    keys = jax.random.split(key, 3)
    inputs = jax.random.normal(keys[0], (20, 4))
    teacher = inputs @ jax.random.normal(keys[1], (4,))
    labels = (teacher + jax.random.logistic(keys[2], (20,)) > 0).astype(float)
    scales = condition ** -jnp.linspace(0.0, 0.5, 4)
    return inputs * scales[None], labels


def logistic(data: tuple[jax.Array, jax.Array], x: jax.Array) -> jax.Array:
    """Logistic regression with a little weight decay, so that there is a minimum."""
    inputs, labels = data
    logits = inputs @ x
    return jnp.mean(jax.nn.softplus(logits) - labels * logits) + 0.5e-3 * jnp.sum(x**2)


def banana(steepness: jax.Array, x: jax.Array) -> jax.Array:
    """The lecture's curved valley where the steepness is 20."""
    return (1 - x[0]) ** 2 + steepness * (3 * x[1] - x[0] ** 2) ** 2


def target(key: jax.Array, ratio: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The two factors of a 4 x 4 matrix with the singular values 1 and 1 / ratio."""
    left, right = (jnp.linalg.qr(jax.random.normal(k, (4, 2)))[0] for k in jax.random.split(key))
    roots = jnp.sqrt(jnp.stack([jnp.ones_like(ratio), 1 / ratio]))[None]
    return left * roots, (right * roots).T


def linear_net(data: tuple[jax.Array, jax.Array], x: jax.Array) -> jax.Array:
    """A net of two layers without an activation that shall become the factors' product."""
    product = x[:8].reshape(4, 2) @ x[8:].reshape(2, 4)
    return 0.5 * jnp.sum((product - data[0] @ data[1]) ** 2)


def near_the_factors(data: tuple[jax.Array, jax.Array], key: jax.Array) -> jax.Array:
    return jnp.concatenate([f.ravel() for f in data]) + 0.1 * jax.random.normal(key, (16,))


def at_random(size: float, dimensions: int) -> Callable[[Any, jax.Array], jax.Array]:
    """Starts about the origin."""
    return lambda data, key: size * jax.random.normal(key, (dimensions,))


def lectures_start(data: jax.Array, key: jax.Array) -> jax.Array:
    """Starts about the lecture's."""
    return jnp.array([-1.21, 0.853]) + 0.05 * jax.random.normal(key, (2,))


KINDS = {
    "quadratic": Kind((10.0, 30.0, 100.0, 300.0), spectrum, quadratic, at_random(1.0, 10)),
    "soft valley": Kind((10.0, 30.0, 100.0, 300.0), spectrum, soft_valley, at_random(1.0, 10)),
    "logistic": Kind((10.0, 30.0, 100.0, 300.0), table, logistic, at_random(1.0, 4)),
    "banana": Kind((2.0, 5.0, 10.0, 20.0), lambda key, size: size, banana, lectures_start),
    "linear net": Kind((1.5, 2.0, 4.0, 8.0), target, linear_net, near_the_factors),
}
