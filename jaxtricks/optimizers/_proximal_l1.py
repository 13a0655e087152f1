"""Weights that become exactly zero: a soft threshold after the step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import cast_like, scalar, scalar_like, to_float32
from jaxtricks._prefix import Mask, expand_mask
from jaxtricks._tree_checks import check_floating_tree, check_params_given, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import ScalarOrSchedule, value_at


class ProximalL1State(NamedTuple):
    """State of `proximal_l1`: `count`, the number of updates made so far."""

    count: Int[Array, ""]


def proximal_l1(
    learning_rate: ScalarOrSchedule, strength: ScalarLike, *, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Soft-thresholds the weights after the step, so that small weights become exactly 0.

    This is the proximal operator of $\alpha_t \lambda \sum |w|$: with $z = w + u$ the weights after
    the step of the chain so far, the new weights are
    $\mathrm{sign}(z) \max(|z| - \alpha_t \lambda, 0)$. The zeros are exact: there the update is
    $-w$. Put it last in the chain, with the learning rate of the step before it:
    `optax.chain(gradient_descent(rate), proximal_l1(rate, 1e-3))` is ISTA. `update` needs the
    argument `params`.

    *Do not use it under a plateau rule.* The `learning_rate_scale` of a trainer multiplies the
    whole step, including the threshold, so below a scale of 1 no weight reaches 0. Give a schedule
    as the learning rate instead.

    *Do not use it after an adaptive rule.* A rule that gives each coordinate its own learning rate
    needs a threshold for each coordinate, but this one is the same for all. After a step
    $u = -\alpha D g$ with a diagonal matrix $D$, it penalises coordinate $i$ with the strength
    $\lambda / D_i$ instead of $\lambda$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule: the learning rate of the step before
            this transformation.
        strength: $\lambda \ge 0$.
        mask: which parameters to penalise: a tree of bools (or a prefix of the parameters' tree),
            or a function of the parameters that returns one, such as `weights_only`. None means
            all.

    Raises:
        ValueError: a hyper-parameter is out of range, or `update` gets no `params`.
        TypeError: a leaf is not floating-point.

    Example:
        >>> tx, params = proximal_l1(0.1, 1.0), jnp.array([2.0, 0.05, -0.05])
        >>> updates, _ = tx.update(jnp.zeros(3), tx.init(params), params)
        >>> [round(float(w), 3) for w in params + updates]
        [1.9, 0.0, 0.0]

    References:
        Beck and Teboulle, [A fast iterative shrinkage-thresholding algorithm for linear inverse
        problems](https://doi.org/10.1137/080716542), 2009, eq. 1.5; Parikh and Boyd, [Proximal
        algorithms](https://doi.org/10.1561/2400000003), 2014, section 6.5.2.
    """
    if not callable(learning_rate):
        check_range("learning_rate", learning_rate, low=0.0)
    check_range("strength", strength, low=0.0)

    def init(params: PyTree) -> ProximalL1State:
        check_floating_tree("params", params)
        return ProximalL1State(count=jnp.zeros([], jnp.int32))

    def update(
        updates: PyTree, state: ProximalL1State, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, ProximalL1State]:
        del extra_args
        check_params_given(params)
        check_updates(updates, params)
        threshold = scalar(value_at(learning_rate, state.count)) * scalar(strength)

        def shrink(chosen: bool, u: Array, w: Array) -> Array:
            end, limit = w + u, scalar_like(threshold, w)
            # prox(w + u) - w, computed without rounding prox(w + u); a NaN stays NaN
            shrunk = jnp.where(jnp.abs(end) <= limit, -w, u - limit * jnp.sign(end))
            return shrunk if chosen else u

        steps = jax.tree.map(
            shrink, expand_mask("mask", mask, params), to_float32(updates), to_float32(params)
        )
        return cast_like(steps, updates), ProximalL1State(optax.safe_increment(state.count))

    return optax.GradientTransformationExtraArgs(init, update)
