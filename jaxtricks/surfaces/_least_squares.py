"""Linear regression by least squares."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from jaxtricks._checks import check_choice, check_flag
from jaxtricks.surfaces._surface import Surface, as_point

Reduction = Literal["mean", "sum"]


def least_squares(
    inputs: Real[Array, "examples features"],
    targets: Real[Array, " examples"],
    *,
    weights: Real[Array, " examples"] | None = None,
    reduction: Reduction = "mean",
    half: bool = True,
) -> Surface:
    r"""Makes the least-squares objective $J(\theta) = \frac1{2m} \sum_i (x_i^T \theta - y_i)^2$.

    The sum is over the $m$ examples. The gradient is $\frac1m \sum_i (\hat y_i - y_i) x_i$ with the
    predictions $\hat y_i = x_i^T \theta$. For the objective of a mini-batch, call this function
    inside a training step with the rows of the batch.

    Args:
        inputs: $x_i$, `[examples, features]`; integers are converted to floats. For an intercept
            append a column of ones.
        targets: $y_i$, `[examples]`.
        weights: the weight of each example, `[examples]`, at least 0 and not all 0; None gives each
            the weight 1. Rows of weight 0 can pad a batch that is too small.
        reduction: `"mean"` divides by the sum of the weights, which is $m$ without weights; `"sum"`
            does not, so that the gradient and the largest stable learning rate depend on $m$.
        half: whether to multiply by $\frac12$.

    Raises:
        ValueError: `reduction` is unknown, the shapes do not fit, there are no examples or
            features, or a weight is negative or all are 0.
        TypeError: `inputs`, `targets` or `weights` is not an array of real numbers, or `half` is
            not a bool.

    Example:
        >>> import jax
        >>> line = least_squares(jnp.array([[1.0], [2.0]]), jnp.array([2.0, 4.0]))
        >>> print(line(jnp.zeros(1)), jax.grad(line)(jnp.zeros(1)), line.optimum.round(4))
        5.0 [-5.] [2.]
    """
    check_choice("reduction", reduction, ("mean", "sum"))
    check_flag("half", half)
    check_examples(inputs, "targets", targets, weights)
    inputs, targets, weights = as_point((inputs, targets, weights))
    weights = jnp.ones_like(targets) if weights is None else weights
    root = jnp.sqrt(weights)
    optimum = jnp.linalg.lstsq(inputs * root[:, None], targets * root)[0]

    def loss(theta: Float[Array, " features"]) -> Float[Array, ""]:
        errors = inputs.astype(theta.dtype) @ theta - targets.astype(theta.dtype)
        return total((0.5 if half else 1.0) * errors**2, weights, reduction)

    return Surface(loss, start=jnp.zeros_like(inputs, shape=inputs.shape[1:]), optimum=optimum)


def check_examples(inputs: Array, name: str, outputs: Array, weights: Array | None) -> None:
    """Checks the inputs of a regression, its outputs, called `name`, and weights that are not None.

    Raises:
        TypeError: one of them is not an array of real numbers.
        ValueError: the shapes do not fit, `inputs` is empty, a weight is negative, or all are 0.
    """
    given = {"inputs": inputs, name: outputs} | ({} if weights is None else {"weights": weights})
    real = (jnp.bool_, jnp.integer, jnp.floating)
    for key, value in given.items():
        array = isinstance(value, np.ndarray | jax.Array)
        if not array or not any(jnp.issubdtype(value.dtype, kind) for kind in real):
            raise TypeError(f"{key} must be an array of real numbers, got {value!r}.")
        if key == "inputs" and (value.ndim != 2 or value.size == 0):
            raise ValueError(f"inputs must be a matrix and not empty, got the shape {value.shape}.")
        if key != "inputs" and value.shape != inputs.shape[:1]:
            raise ValueError(
                f"{key} must have one number for each row of inputs, {inputs.shape[:1]}, "
                f"got the shape {value.shape}."
            )
    if weights is not None and not isinstance(weights, jax.core.Tracer):
        given = np.asarray(weights)  # in NumPy, because `jnp` functions are traced under `jit`
        if not (np.all(given >= 0) and 0 < given.sum() < np.inf):
            raise ValueError(f"weights must be at least 0 and not all 0, got {weights}.")


def total(
    losses: Float[Array, " examples"], weights: Float[Array, " examples"], reduction: Reduction
) -> Float[Array, ""]:
    """Returns the weighted sum or mean of the losses of the examples, in their dtype."""
    weights = weights.astype(losses.dtype)
    summed = jnp.sum(weights * losses)
    return summed if reduction == "sum" else summed / jnp.sum(weights)
