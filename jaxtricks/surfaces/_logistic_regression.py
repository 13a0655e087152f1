"""Logistic regression by cross-entropy."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from jaxtricks._checks import check_choice
from jaxtricks.surfaces._least_squares import Reduction, check_examples, total
from jaxtricks.surfaces._surface import Surface, as_point


def logistic_regression(
    inputs: Real[Array, "examples features"],
    labels: Real[Array, " examples"],
    *,
    weights: Real[Array, " examples"] | None = None,
    reduction: Reduction = "mean",
) -> Surface:
    r"""Makes the mean cross-entropy between $\hat y_i = \sigma(x_i^T \theta)$ and labels $y_i$.

    $J(\theta) = -\frac1m \sum_i (y_i \log \hat y_i + (1 - y_i) \log (1 - \hat y_i))$ for $m$
    examples. The gradient $\frac1m \sum_i (\hat y_i - y_i) x_i$ has the same form as for
    `least_squares`. The optimum has no closed form, and does not exist if a plane separates the
    classes.

    Args:
        inputs: $x_i$, `[examples, features]`; for an intercept append a column of ones.
        labels: $y_i$, `[examples]`, in `[0, 1]`.
        weights: the weight of each example, `[examples]`, at least 0 and not all 0; None gives each
            the weight 1.
        reduction: `"mean"` divides by the sum of the weights; `"sum"` does not.

    Raises:
        ValueError: `reduction` is unknown, a label is out of range, the shapes do not fit, there
            are no examples or features, or a weight is negative or all are 0.
        TypeError: `inputs`, `labels` or `weights` is not an array of real numbers.

    Example:
        >>> surface = logistic_regression(jnp.array([[1.0], [2.0]]), jnp.array([0, 1]))
        >>> print(surface(jnp.zeros(1)).round(4), jax.grad(surface)(jnp.zeros(1)))
        0.6931 [-0.25]
    """
    check_choice("reduction", reduction, ("mean", "sum"))
    check_examples(inputs, "labels", labels, weights)
    if not isinstance(labels, jax.core.Tracer):
        given = np.asarray(labels)  # in NumPy, because `jnp` functions are traced under `jit`
        if not np.all((given >= 0) & (given <= 1)):
            raise ValueError(f"labels must be in [0, 1], got {labels}.")
    inputs, labels, weights = as_point((inputs, labels, weights))
    weights = jnp.ones_like(inputs, shape=labels.shape) if weights is None else weights

    def loss(theta: Float[Array, " features"]) -> Float[Array, ""]:
        logits = inputs.astype(theta.dtype) @ theta
        losses = jax.nn.softplus(logits) - labels.astype(theta.dtype) * logits
        return total(losses, weights, reduction)

    return Surface(loss, start=jnp.zeros_like(inputs, shape=inputs.shape[1:]))
