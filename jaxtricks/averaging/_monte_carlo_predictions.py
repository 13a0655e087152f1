"""Monte Carlo dropout: predictions averaged over random dropout masks."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks._checks import check_function, check_integer, check_key
from jaxtricks._tree_checks import check_real_tree
from jaxtricks._wide_dtype import wide_dtype


class MonteCarloPredictions(NamedTuple):
    r"""The averages that `monte_carlo_predictions` returns, each `[batch, classes]`.

    Attributes:
        arithmetic: logarithm of the mean of the probabilities.
        geometric: logarithm of the normalised geometric mean of the probabilities, which is
            $\log \operatorname{softmax}$ of the mean of the logits.
        variance: variance of the probabilities over the samples, with the divisor `samples - 1`;
            NaN for one sample.
    """

    arithmetic: Float[Array, "batch classes"]
    geometric: Float[Array, "batch classes"]
    variance: Float[Array, "batch classes"]


def monte_carlo_predictions(
    key: Key[Array, ""],
    apply: Callable[[Key[Array, ""], Any, Any], Float[Array, "batch classes"]],
    variables: Mapping[str, PyTree],
    x: PyTree,
    *,
    samples: int,
) -> MonteCarloPredictions:
    r"""Averages the predictions of `samples` forward passes with different dropout masks.

    With $p_k = \operatorname{softmax}(z_k)$ in the $k$-th pass, the arithmetic mean is
    $\frac1K \sum_k p_k$ and the geometric mean is $\operatorname{softmax}(\frac1K \sum_k z_k)$. The
    single pass of the network in evaluation mode (weight scaling) approximates the geometric mean
    over all masks; for dropout followed by one softmax layer the two are equal. The passes run one
    after another in one compiled loop, so memory does not grow with their number, unless a gradient
    is taken through them.

    Args:
        key: a typed random key, which is split into one key for each pass.
        apply: `(key, variables, x) -> logits`: runs the model in training mode, such as
            `lambda key, v, x: model.apply(v, x, train=True, rngs={"dropout": key})`. Batch norm in
            training mode normalises by the batch `x`; a model with batch norm must therefore run
            batch norm with `train=False` and dropout with `train=True`.
        variables: `"params"` and the model's other collections, passed to `apply`.
        x: inputs, a tree of arrays, passed to `apply`.
        samples: $K$, the number of passes, at least 1.

    Returns:
        The logarithms of both means and the variance of the probabilities, each `[batch, classes]`
        in float32 or wider.

    Raises:
        ValueError: `samples` is under 1, `key` is an array of keys, `variables` has no `"params"`,
            or the logits are not `[batch, classes]`.
        TypeError: `key` is not a typed key, `samples` is not an integer, `apply` is not a function,
            `variables` is not a mapping, a leaf of `x` is not an array of real numbers, or the
            logits are not floating.

    Example:
        >>> from jaxtricks.regularizers import dropout
        >>> def apply(key, variables, x):
        ...     return dropout(key, x, 0.5) @ variables["params"]
        >>> x, variables = jnp.ones((1, 2)), {"params": jnp.array([[1.0, 0.0], [1.0, 0.0]])}
        >>> found = monte_carlo_predictions(jax.random.key(0), apply, variables, x, samples=2000)
        >>> [round(float(jnp.exp(p[0, 0])), 2) for p in (found.arithmetic, found.geometric)]
        [0.81, 0.88]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 7.5; Gal and Ghahramani,
        [Dropout as a Bayesian approximation](https://arxiv.org/abs/1506.02142), 2016.
    """
    check_key("key", key)
    check_function("apply", apply)
    check_integer("samples", samples, low=1)
    check_variables(variables)
    check_real_tree("x", x)
    keys = jax.random.split(key, samples)
    shape = jax.eval_shape(apply, keys[0], variables, x)
    check_logits(shape)
    zeros = jnp.zeros(shape.shape, wide_dtype(shape.dtype))

    def one(sums: tuple[Array, ...], drawn: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
        count, (logsum, scores, mean, squares) = drawn[0], sums
        logs = jax.nn.log_softmax(apply(drawn[1], variables, x).astype(zeros.dtype))
        p = jnp.exp(logs)
        change = p - mean
        mean = mean + change / count.astype(zeros.dtype)
        squares = squares + change * (p - mean)  # Welford's method avoids cancellation
        return (jnp.logaddexp(logsum, logs), scores + logs, mean, squares), None

    start = (jnp.full_like(zeros, -jnp.inf), zeros, zeros, zeros)
    counts = jnp.arange(1, samples + 1)
    (logsum, scores, _, squares), _ = jax.lax.scan(one, start, (counts, keys))
    return MonteCarloPredictions(
        logsum - jnp.log(jnp.asarray(samples, zeros.dtype)),
        jax.nn.log_softmax(scores / samples),
        squares / (samples - 1) if samples > 1 else jnp.full_like(zeros, jnp.nan),
    )


def check_logits(logits: Any) -> None:
    """Checks that the output of `apply`, an array or its shape and dtype, is class logits."""
    if not hasattr(logits, "shape") or len(logits.shape) != 2:
        found = getattr(logits, "shape", type(logits).__name__)
        raise ValueError(f"apply must return logits [batch, classes], got {found}.")
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"apply must return floating logits, got {logits.dtype}.")
