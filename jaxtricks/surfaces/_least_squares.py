"""Fitting a linear map by squared errors."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_choice
from jaxtricks.surfaces._surface import Surface

Reduction = Literal["mean", "sum"]


def least_squares(
    inputs: Float[Array, "examples features"],
    targets: Float[Array, " examples"],
    *,
    weights: Float[Array, " examples"] | None = None,
    reduction: Reduction = "mean",
    half: bool = True,
) -> Surface:
    r"""Makes $J(\theta) = \frac1{2m} \sum_i (\hat y_i - y_i)^2$, $\hat y_i = x_i^T \theta$.

    Its gradient is $\frac1m \sum_i (\hat y_i - y_i) x_i$. Called inside a step on a batch's rows,
    it is the mini-batch objective. For an intercept append a column of ones.

    Args:
        inputs: $x_i$.
        targets: $y_i$.
        weights: how much each example counts, at least 0; 0 for the padding of a ragged batch.
        reduction: `"mean"` divides by the total weight, `"sum"` does not, so that its gradient and
            its largest stable learning rate depend on $m$.
        half: whether to keep the $\frac12$.

    Raises:
        ValueError: an unknown `reduction`.

    Example:
        >>> import jax
        >>> line = least_squares(jnp.array([[1.0], [2.0]]), jnp.array([2.0, 4.0]))
        >>> print(line(jnp.zeros(1)), jax.grad(line)(jnp.zeros(1)), line.optimum.round(4))
        5.0 [-5.] [2.]

    References:
        S-OPT-01, S-LOS-02; notes 000:102-108, 001:117-119.
    """
    check_choice("reduction", reduction, ("mean", "sum"))
    weights = jnp.ones_like(targets) if weights is None else weights
    root = jnp.sqrt(weights)
    optimum = jnp.linalg.lstsq(inputs * root[:, None], targets * root)[0]

    def loss(theta: Float[Array, " features"]) -> Float[Array, ""]:
        errors = inputs.astype(theta.dtype) @ theta - targets.astype(theta.dtype)
        return total((0.5 if half else 1.0) * errors**2, weights, reduction)

    return Surface(loss, start=jnp.zeros_like(inputs, shape=inputs.shape[1:]), optimum=optimum)


def total(
    losses: Float[Array, " examples"], weights: Float[Array, " examples"], reduction: Reduction
) -> Float[Array, ""]:
    """Adds the examples' losses, or averages them, in the losses' type."""
    weights = weights.astype(losses.dtype)
    summed = jnp.sum(weights * losses)
    return summed if reduction == "sum" else summed / jnp.sum(weights)
