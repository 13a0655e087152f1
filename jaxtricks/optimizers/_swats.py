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
    r"""Adam, the rate being learned, and SGD.

    Attributes:
        adam: Adam's state, which is still updated after the switch; `adam.count` counts all updates
            done.
        rate_average: $\lambda$, decayed average of the projected rates, not yet bias-corrected.
        sgd_rate: $\lambda_k / (1 - \beta_2^k)$ before the switch, and $\Lambda$ after it.
        switch_step: how many updates Adam made, -1 until the switch.
        velocity: SGD's, zero before the switch.
        learning_rate: of the last update, Adam's or SGD's; at first that of the next.
    """

    adam: AdamState
    rate_average: Float[Array, ""]
    sgd_rate: Float[Array, ""]
    switch_step: Int[Array, ""]
    velocity: PyTree
    learning_rate: Float[Array, ""]


def _inner(left: PyTree, right: PyTree) -> Float[Array, ""]:
    """Inner product over all leaves; 0 for an empty tree."""
    products = jax.tree.map(lambda x, y: jnp.sum(x * y), left, right)
    return sum(jax.tree.leaves(products), start=jnp.zeros([]))


def _projected_rate(step: PyTree, gradient: PyTree) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    r"""Gives $\gamma = \langle p, p \rangle / -\langle p, g \rangle$, and whether it exists."""
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
    r"""Adam, then SGD with momentum at the rate that Adam's steps imply.

    Update $k$ (from 1) of Adam takes the step $p_k$ for the gradient $g_k$. Its projected rate is
    the $\gamma_k$ for which the SGD step $-\gamma_k g_k$, projected on $p_k$, is $p_k$:

    $\gamma_k = \langle p_k, p_k \rangle / -\langle p_k, g_k \rangle$,
    $\lambda_k = \beta_2 \lambda_{k-1} + (1 - \beta_2) \gamma_k$.

    Once $k > 1$ and $|\lambda_k / (1 - \beta_2^k) - \gamma_k| <$ `tolerance`, the later updates are
    $v \leftarrow \beta_1 v + g$, $x \leftarrow x - (1 - \beta_1) \Lambda v$ with $v = 0$ at first
    and $\Lambda = \lambda_k / (1 - \beta_2^k)$. The inner products run over the whole tree, so all
    parameters switch together. Two cases the paper leaves open: an update with
    $\langle p, g \rangle = 0$ leaves $\lambda$ as it is, and a $\Lambda \le 0$, which would climb,
    does not switch.

    Args:
        learning_rate: Adam's rate, at least 0, a number or a schedule. SGD's rate does not follow
            it: to decay that one too, put `optax.scale_by_schedule` after it.
        b1: $\beta_1$, in `[0, 1)`, also SGD's momentum.
        b2: $\beta_2$, in `[0, 1)`, also the decay of $\lambda$.
        eps: Adam's $\varepsilon \ge 0$, added to the uncorrected root as in the paper
            (`scale_by_adam(eps_hat=True)`).
        tolerance: how near the rate and its average must come, at least 0, in units of the rate;
            with 0 there is no switch.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: a decay is a schedule, or a leaf is not floating.

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
        """The rate's average, the rate and the switch after one more update."""
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
