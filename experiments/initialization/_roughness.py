"""How rough a loss is around some parameters: curvature, and what no parabola explains."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks import models, probes, training


def mean_loss(net: models.MLP, examples: Any) -> Callable[[Any], jax.Array]:
    """Cross-entropy of the examples, a function of the parameters."""
    per_example = training.classification_loss(net)
    return lambda params: jnp.mean(per_example(params, {}, examples, {}, train=False)[0])


def look(
    loss: Callable[[Any], jax.Array], params: Any, key: jax.Array, *, lanczos: int, side: int
) -> dict[str, jax.Array]:
    """The loss, its Hessian's largest eigenvalue, and the loss on a plane through the weights.

    `lanczos` steps for the eigenvalue; `side` points of the plane's sides, from -1 to 1 times two
    random directions that are filter-normalised.
    """
    keys = jax.random.split(key, 3)
    first, second = (probes.filter_normalized(key, params) for key in keys[1:])
    return {
        "loss": loss(params),
        "top": probes.hessian_eigenvalues(keys[0], loss, params, steps=lanczos)[-1],
        "plane": probes.loss_slice(loss, params, first, second, jnp.linspace(-1, 1, side)),
    }


def unexplained(plane: np.ndarray) -> float:
    """Share of the variance over a plane that is left by the best polynomial of degree 2."""
    side = np.linspace(-1, 1, len(plane))
    x, y = (part.ravel() for part in np.meshgrid(side, side, indexing="ij"))
    terms = np.stack([x**0, x, y, x * x, x * y, y * y], axis=1)
    values = np.asarray(plane, np.float64).ravel()
    rest = values - terms @ np.linalg.lstsq(terms, values)[0]
    return float(rest.var() / values.var())


def bowl(key: jax.Array, *, updates: int, **how: int) -> dict[str, list[float]]:
    """The measures on a quadratic, curvatures 0.1 to 1, before and after descent at rate 0.1."""
    curvatures = jnp.geomspace(0.1, 1.0, 24).reshape(6, 4)

    def loss(params: Any) -> jax.Array:
        return jnp.sum(curvatures * params["kernel"] ** 2) / 2

    start_key, look_key = jax.random.split(key)
    start = jax.random.normal(start_key, curvatures.shape)
    places = [{"kernel": start}, {"kernel": start * (1 - 0.1 * curvatures) ** updates}]
    seen = [look(loss, params, look_key, **how) for params in places]
    return {
        "top": [float(found["top"]) for found in seen],
        "rough": [unexplained(np.asarray(found["plane"])) for found in seen],
    }
