"""SWATS: Adam that switches to SGD once its estimate of SGD's learning rate has settled."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import (
    average,
    cast_like,
    full_moment,
    scalar,
    scalar_like,
    to_float32,
    weight_sum,
)
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers._adam import AdamState, scale_by_adam
from jaxtricks.schedules import ScalarOrSchedule, value_at


class SwatsState(NamedTuple):
    r"""State of `swats`: Adam, the estimate of SGD's learning rate, and SGD.

    Attributes:
        adam: state of Adam, which is still updated after the switch; `adam.count` counts all
            updates.
        rate_average: $\lambda$, moving average of the projected learning rates, before bias
            correction.
        sgd_rate: the bias-corrected average, $\lambda_k / (1 - \beta_2^k)$. After the switch it
            keeps the value that it had then, $\Lambda$.
        switch_step: number of updates that Adam made; -1 before the switch.
        velocity: velocity of SGD; 0 before the switch.
        learning_rate: learning rate of the last update: Adam's, or $(1 - \beta_1) \Lambda$ for SGD.
            Before the first update it is Adam's learning rate for that update.
    """

    adam: AdamState
    rate_average: Float[Array, ""]
    sgd_rate: Float[Array, ""]
    switch_step: Int[Array, ""]
    velocity: PyTree
    learning_rate: Float[Array, ""]


def _inner(left: PyTree, right: PyTree) -> Float[Array, ""]:
    """Returns the inner product over all leaves; 0 for an empty tree."""
    products = jax.tree.map(lambda x, y: jnp.sum(x * y), left, right)
    return sum(jax.tree.leaves(products), start=jnp.zeros([]))


def _projected_rate(step: PyTree, gradient: PyTree) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""Returns $\gamma = \langle p, p \rangle / -\langle p, g \rangle$, and whether it exists."""
    slope = -_inner(step, gradient)
    exists = slope != 0
    return _inner(step, step) / jnp.where(exists, slope, 1), exists


def swats(
    learning_rate: ScalarOrSchedule,
    *,
    b1: ScalarLike = 0.9,
    b2: ScalarLike = 0.999,
    eps: ScalarLike = 1e-9,
    tolerance: ScalarLike = 1e-9,
) -> optax.GradientTransformationExtraArgs:
    r"""Optimizes with Adam, then with SGD at the learning rate that the steps of Adam imply.

    Update $k$ of Adam, counted from 1, takes the step $p_k$ for the gradient $g_k$. Its projected
    learning rate is the $\gamma_k$ for which the SGD step $-\gamma_k g_k$, projected on $p_k$, is
    $p_k$:

    $\gamma_k = \langle p_k, p_k \rangle / -\langle p_k, g_k \rangle$,
    $\lambda_k = \beta_2 \lambda_{k-1} + (1 - \beta_2) \gamma_k$.

    Once $k > 1$ and $|\lambda_k / (1 - \beta_2^k) - \gamma_k| <$ `tolerance`, all later updates are
    $v \leftarrow \beta_1 v + g$, $x \leftarrow x - (1 - \beta_1) \Lambda v$, with $v = 0$ at first
    and $\Lambda = \lambda_k / (1 - \beta_2^k)$. The inner products run over the whole tree, so all
    parameters switch together. The paper leaves two cases open: here an update with
    $\langle p, g \rangle = 0$ does not change $\lambda$, and a $\Lambda \le 0$, with which SGD
    would climb, does not cause the switch.

    Args:
        learning_rate: learning rate of Adam, at least 0, a number or a schedule. The learning rate
            of SGD does not follow this schedule. To make it decay too, put
            `optax.scale_by_schedule` after `swats`.
        b1: $\beta_1$, in `[0, 1)`, also the momentum of SGD.
        b2: $\beta_2$, in `[0, 1)`, also the decay of $\lambda$.
        eps: $\varepsilon \ge 0$ of Adam, added to the uncorrected root as in the paper
            (`scale_by_adam(eps_hat=True)`).
        tolerance: at least 0. The switch happens when the distance of the projected learning rate
            from its average is less than this; with 0 it never happens.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: `b1` or `b2` is a schedule, or a leaf is not floating-point.

    Example:
        >>> tx = swats(0.1, tolerance=1e-6)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(4):
        ...     step, state = tx.update(jnp.array(5.0), state)
        ...     print(round(float(step), 4), int(state.switch_step))
        -0.1 -1
        -0.1 2
        -0.01 2
        -0.019 2
        >>> round(float(state.sgd_rate), 3)
        0.02

    References:
        Keskar and Socher, [Improving generalization performance by switching from Adam to
        SGD](https://arxiv.org/abs/1712.07628), 2017, algorithm 1.
    """
    if not callable(learning_rate):
        check_range("learning_rate", learning_rate, low=0.0)
    for name, beta in (("b1", b1), ("b2", b2)):
        check_range(name, beta, low=0.0, below=1.0)
    check_range("tolerance", tolerance, low=0.0)
    rule = scale_by_adam(b1, b2=b2, eps=eps, eps_hat=True)

    def init(params: PyTree) -> SwatsState:
        check_floating_tree("params", params)
        return SwatsState(
            adam=rule.init(params),
            rate_average=jnp.zeros([]),
            sgd_rate=jnp.zeros([]),
            switch_step=jnp.full([], -1, jnp.int32),
            velocity=full_moment(params),
            learning_rate=jnp.array(value_at(learning_rate, jnp.zeros([], jnp.int32)), jnp.float32),
        )

    def learn(state: SwatsState, steps: PyTree, gradients: PyTree) -> tuple[Array, Array, Array]:
        """Returns the average, SGD's learning rate and the switch step after one more update."""
        switched = state.switch_step >= 0
        gamma, exists = _projected_rate(steps, gradients)
        watching = exists & ~switched
        rate_average = scalar_like(state.rate_average, gamma)
        averaged = jnp.where(watching, average(rate_average, gamma, b2), rate_average)
        rate = averaged / scalar_like(weight_sum(b2, state.adam.count), gamma)
        settled = (
            watching
            & (state.adam.count > 0)
            & (rate > 0)
            & (jnp.abs(rate - gamma) < scalar_like(tolerance, gamma))
        )
        switch_step = jnp.where(settled, optax.safe_increment(state.adam.count), state.switch_step)
        return averaged, jnp.where(switched, state.sgd_rate, rate), switch_step

    def update(
        updates: PyTree, state: SwatsState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, SwatsState]:
        del params, extra_args
        check_updates(updates, state.velocity)
        switched = state.switch_step >= 0
        wide = to_float32(updates)
        scaled, adam = rule.update(wide, state.adam)
        rate = value_at(learning_rate, state.adam.count)
        adam_steps = jax.tree.map(lambda u: -scalar_like(rate, u) * u, scaled)
        velocity = jax.tree.map(
            lambda v, g: jnp.where(switched, scalar_like(b1, v) * v + g, 0), state.velocity, wide
        )
        sgd_rate = scalar_like(1 - scalar(b1), state.sgd_rate) * state.sgd_rate
        steps = jax.tree.map(
            lambda p, v: jnp.where(switched, -scalar_like(sgd_rate, v) * v, p), adam_steps, velocity
        )
        learned = learn(state, adam_steps, wide)
        rates = (jnp.asarray(r, jnp.float32) for r in (sgd_rate, rate))
        after = SwatsState(adam, *learned, velocity, jnp.where(switched, *rates))
        return cast_like(steps, updates), cast_like(after, state)

    return optax.GradientTransformationExtraArgs(init, update)
