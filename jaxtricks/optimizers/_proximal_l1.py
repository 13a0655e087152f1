"""Weights that are exactly zero: the step of the loss, then a soft threshold."""

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
    """`count`: updates done so far."""

    count: Int[Array, ""]


def proximal_l1(
    learning_rate: ScalarOrSchedule, strength: ScalarLike, *, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Applies the proximal operator of $\alpha_t \lambda \sum |w|$ to the weights after the step.

    With $z = w + u$ the point to which the chain so far would go, the new weight is
    $\mathrm{sign}(z) \max(|z| - \alpha_t \lambda, 0)$. The zeros are exact: there the update is
    $-w$. Last in the chain, with the rate of the link before it:
    `optax.chain(gradient_descent(rate), proximal_l1(rate, 1e-3))` is ISTA. `update` needs `params`.

    *Not under a plateau rule.* A trainer's `learning_rate_scale` multiplies the whole step, with
    this one in it, so that below 1 no weight reaches 0. Give a schedule as the rate instead.

    *Not after an adaptive rule.* A rule that gives each coordinate its own rate needs a threshold
    for each coordinate: with $u = -\alpha D g$ this link solves the problem of strength
    $\lambda / D_i$ on coordinate $i$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule: the one of the step before.
        strength: $\lambda \ge 0$.
        mask: which leaves to penalise, as a tree of bools (or a prefix) or a function of the
            parameters such as `weights_only`; None is all.

    Raises:
        ValueError: a hyper-parameter is out of range, or `update` gets no parameters.
        TypeError: a leaf is not floating.

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
            # prox(w + u) - w, without a rounding; NaN is not under the threshold
            shrunk = jnp.where(jnp.abs(end) <= limit, -w, u - limit * jnp.sign(end))
            return shrunk if chosen else u

        steps = jax.tree.map(
            shrink, expand_mask("mask", mask, params), to_float32(updates), to_float32(params)
        )
        return cast_like(steps, updates), ProximalL1State(optax.safe_increment(state.count))

    return optax.GradientTransformationExtraArgs(init, update)
