"""The mean prediction of several classifiers."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._array_checks import check_floating, real_array
from jaxtricks._checks import check_choice, shown
from jaxtricks._wide_dtype import wide_dtype


def ensemble_predictions(
    logits: Float[Array, "members batch classes"],
    *,
    average: Literal["probabilities", "logits"] = "probabilities",
    weights: Float[Array, " members"] | Sequence[float] | None = None,
) -> Float[Array, "batch classes"]:
    r"""Averages the class predictions of several models and returns log-probabilities.

    The weights $w_m$ are scaled to add up to 1. With `average="probabilities"` the result is
    $\log \sum_m w_m \operatorname{softmax}(z_m)$, computed with log-sum-exp so that no probability
    is rounded to 0 before the logarithm. With `average="logits"` it is
    $\log \operatorname{softmax}(\sum_m w_m z_m)$, the normalised geometric mean of the
    probabilities. A member with a probability near 1 dominates a mean of logits, but not a mean of
    probabilities.

    The members may be separately trained models, snapshots of one run, crops of one image, or
    networks with different dropout masks. `jax.vmap` over the members computes the logits.

    Args:
        logits: scores before softmax, `[members, batch, classes]`; log-probabilities work too.
        average: whether to average `"probabilities"` or `"logits"`.
        weights: one finite weight per member, at least 0 and not all 0. They need not add up to 1.
            A member of weight 0 is ignored, even if its logits are NaN. None weighs all equally.

    Returns:
        Log-probabilities `[batch, classes]` in float32 or wider.

    Raises:
        ValueError: `logits` has no member or not three axes, `average` is neither of the two names,
            or `weights` has another length, a negative or non-finite weight, or no positive one.
        TypeError: `logits` are not real and floating, or `weights` are not real numbers.

    Example:
        >>> logits = jnp.log(jnp.array([[[0.99, 0.01]], [[0.4, 0.6]], [[0.4, 0.6]]]))
        >>> for options in ({}, {"average": "logits"}, {"weights": [0.0, 1.0, 1.0]}):
        ...     print(f"{jnp.exp(ensemble_predictions(logits, **options))[0, 0]:.3f}")
        0.597
        0.779
        0.400

    References:
        Hansen and Salamon, [Neural network ensembles](https://doi.org/10.1109/34.58871), 1990;
        Lakshminarayanan et al., [Simple and scalable predictive uncertainty estimation using deep
        ensembles](https://arxiv.org/abs/1612.01474), 2017, for the mean of probabilities.
    """
    check_choice("average", average, ("probabilities", "logits"))
    check_floating("logits", logits)
    if logits.ndim != 3 or logits.shape[0] == 0:
        raise ValueError(f"logits must be [members, batch, classes], got the shape {logits.shape}.")
    scores = logits.astype(wide_dtype(logits.dtype))
    share = _shares(weights, logits.shape[0])[:, None, None].astype(scores.dtype)
    counts = share > 0
    if average == "logits":
        return jax.nn.log_softmax(jnp.sum(share * jnp.where(counts, scores, 0), axis=0))
    members = jax.nn.log_softmax(jnp.where(counts, scores, 0))
    return jax.nn.logsumexp(members, axis=0, b=share)


def _shares(weights: Array | Sequence[float] | None, members: int) -> Float[Array, " members"]:
    if weights is None:
        return jnp.full(members, 1 / members)
    array = real_array("weights", weights)
    if array.shape != (members,):
        raise ValueError(
            f"weights must be {members} numbers, one per member, got {shown(weights)}."
        )
    if not isinstance(weights, jax.core.Tracer):
        values = np.asarray(weights)
        if not (np.all(np.isfinite(values)) and np.all(values >= 0) and np.any(values > 0)):
            raise ValueError(f"weights must be finite, at least 0 and not all 0, got {weights}.")
    array = array.astype(jnp.result_type(float))
    return array / jnp.sum(array)
