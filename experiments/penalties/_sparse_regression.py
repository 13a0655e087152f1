"""Linear regression with few true weights, minimised under L1, L2 and the elastic net."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxtricks import optimizers, surfaces

PENALTIES = ("L1", "elastic net", "L2")
SHARE = 0.5  # of the elastic net's strength that is L1's, as scikit-learn's `l1_ratio`
RATIO = (1 - SHARE) / (2 * SHARE)  # the beta that this makes
CORRELATION, NOISE = 0.5, 1.0


class Problem(NamedTuple):
    """Inputs `[examples, features]`, targets `[examples]` and the weights that made them."""

    inputs: jax.Array
    targets: jax.Array
    truth: jax.Array


def problem(key: jax.Array, examples: int, features: int) -> Problem:
    """A fifth of the weights are 1 or -1, the others 0; neighbouring features are correlated."""
    place_key, sign_key, input_key, noise_key = jax.random.split(key, 4)
    places = jax.random.permutation(place_key, features) < features // 5
    truth = jnp.where(places, jax.random.rademacher(sign_key, (features,), float), 0.0)
    at = jnp.arange(features)
    covariance = CORRELATION ** jnp.abs(at[:, None] - at[None, :])
    inputs = jax.random.normal(input_key, (examples, features)) @ jnp.linalg.cholesky(covariance).T
    targets = inputs @ truth + NOISE * jax.random.normal(noise_key, (examples,))
    return Problem(inputs, targets, truth)


def loss(w: jax.Array, given: Problem) -> jax.Array:
    """Half the mean squared error."""
    return jnp.mean((given.inputs @ w - given.targets) ** 2) / 2


def rate(given: Problem, l2: Any) -> jax.Array:
    """One over the largest curvature of the loss with an L2 penalty of strength `l2`."""
    curvatures = jnp.linalg.eigvalsh(given.inputs.T @ given.inputs / len(given.targets))
    return 1 / (curvatures[-1] + l2)


def rule(
    penalty: str, strength: Any, given: Problem
) -> tuple[optax.GradientTransformation, jax.Array]:
    """Gradient descent on the loss and the squares, then the soft threshold of the sizes.

    Also gives its rate.
    """
    if penalty == "L2":
        step = rate(given, strength)
        return optax.chain(optimizers.add_l2(strength), optimizers.gradient_descent(step)), step
    sizes, squares = (strength, 0.0) if penalty == "L1" else (SHARE * strength, RATIO)
    step = rate(given, 2 * sizes * squares)
    tx = optax.chain(
        optimizers.add_l2(sizes * squares, half=False),
        optimizers.gradient_descent(step),
        optimizers.proximal_l1(step, sizes),
    )
    return tx, step


def minimise(penalty: str, strength: Any, given: Problem, steps: int) -> dict[str, jax.Array]:
    """The weights after `steps` from 0, and the largest entry of the last step over the rate.

    That is the gradient, or, with a threshold, the gradient mapping: 0 at the minimum alone.
    """
    (tx, step), start = rule(penalty, strength, given), jnp.zeros(given.inputs.shape[1])

    def body(carry: Any, _: None) -> tuple[Any, jax.Array]:
        w, state = carry
        updates, state = tx.update(jax.grad(loss)(w, given), state, w)
        return (optax.apply_updates(w, updates), state), jnp.max(jnp.abs(updates))

    (w, _), moved = jax.lax.scan(body, (start, tx.init(start)), length=steps)
    return {"weights": w, "gradient": moved[-1] / step}


def by_subgradients(strength: Any, given: Problem, steps: int, schedule: Any) -> jax.Array:
    """All points of gradient descent with the sign of the weights added to the gradient."""
    step = rate(given, 0.0)
    descent = optimizers.gradient_descent(lambda count: step * schedule(count))
    start = jnp.zeros(given.inputs.shape[1])
    tx = optax.chain(optimizers.add_l1(strength), descent)
    return surfaces.trajectory(tx, lambda w: loss(w, given), start, steps).points


def by_thresholds(strength: Any, given: Problem, steps: int) -> jax.Array:
    """All points of the descent that sets weights to 0."""
    start = jnp.zeros(given.inputs.shape[1])
    tx, _ = rule("L1", strength, given)
    return surfaces.trajectory(tx, lambda w: loss(w, given), start, steps).points


def by_coordinate_descent(penalty: str, strengths: Sequence[float], given: Problem) -> np.ndarray:
    """The minima as scikit-learn finds them, `[strength, feature]`."""
    from sklearn.linear_model import ElasticNet, Lasso, Ridge

    inputs, targets = np.asarray(given.inputs), np.asarray(given.targets)
    exact = {"fit_intercept": False, "tol": 1e-14, "max_iter": 1_000_000}
    found = []
    for strength in map(float, strengths):
        if penalty == "L1":
            model = Lasso(alpha=strength, **exact)
        elif penalty == "L2":
            model = Ridge(alpha=len(targets) * strength, fit_intercept=False, solver="cholesky")
        else:
            model = ElasticNet(alpha=strength, l1_ratio=SHARE, **exact)
        found.append(model.fit(inputs, targets).coef_)
    return np.array(found)
