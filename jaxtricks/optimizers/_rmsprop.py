"""AdaGrad that forgets: the gradient over the root of the decayed average of its squares."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree, ScalarLike

from jaxtricks._checks import check_range, check_real_tree, check_same_tree
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.optimizers._moments import (
    average,
    full_moment,
    inverse_root,
    narrow,
    weight_sum,
    widen,
)
from jaxtricks.optimizers._momentum import scale_by_momentum
from jaxtricks.schedules import ScalarOrSchedule, value_at


class RmspropState(NamedTuple):
    """Averages of the gradients, not yet bias-corrected.

    Attributes:
        step: updates done so far.
        first_moment: of the gradients, `()` unless `centered`.
        second_moment: of their squares.
    """

    step: Int[Array, ""]
    first_moment: PyTree
    second_moment: PyTree


def scale_by_rmsprop(
    decay: ScalarOrSchedule = 0.9,
    *,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    bias_correction: bool = False,
    centered: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""Replaces the updates by $g_t / (\sqrt{r_t} + \varepsilon)$.

    $r_t = \rho r_{t-1} + (1 - \rho) g_t^2$. Without correction the first step is
    $1 / \sqrt{1 - \rho}$ times the later ones: 3.16 at 0.9, 10 at 0.99.

    Args:
        decay: $\rho$, in `[0, 1)`, a number or a schedule.
        eps: $\varepsilon \ge 0$; with 0, 0/0 is 0.
        eps_inside: $\sqrt{r + \varepsilon}$ instead; this $\varepsilon$ acts like the root of one
            outside.
        bias_correction: divides the averages by $1 - \rho^t$, $t$ from 1.
        centered: uses the variance $r_t - m_t^2$ in place of $r_t$, with
            $m_t = \rho m_{t-1} + (1 - \rho) g_t$. It is at least 0 on paper; where rounding makes
            it negative it is taken as 0 (PyTorch's root gives NaN there). Together with
            `bias_correction` the first variance is 0, and the first step $g / \varepsilon$.
        initial_accumulator: $r_0 \ge 0$ of every coordinate.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: a leaf is complex.

    Example:
        >>> tx = scale_by_rmsprop(0.9)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(4):
        ...     step, state = tx.update(jnp.array(20.0), state)
        ...     print(round(float(step), 3))
        3.162
        2.294
        1.921
        1.705

    References:
        Tieleman and Hinton, Lecture 6.5, Coursera, 2012; outside: S-OPT-13, 002:399-423 and 003:37;
        inside: S-OPT-14, 004:218-232; the two compared: E-19. Centered: Graves,
        [Generating sequences](https://arxiv.org/abs/1308.0850), 2013, eq. 38-41.
    """
    if not callable(decay):
        check_range("decay", decay, low=0.0, below=1.0)
    check_range("eps", eps, low=0.0)
    check_range("initial_accumulator", initial_accumulator, low=0.0)

    def init(params: PyTree) -> RmspropState:
        check_real_tree("params", params)
        return RmspropState(
            step=jnp.zeros([], jnp.int32),
            first_moment=full_moment(params) if centered else (),
            second_moment=full_moment(params, initial_accumulator),
        )

    def update(
        updates: PyTree, state: RmspropState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, RmspropState]:
        del params, extra_args
        check_same_tree("updates", updates, "params", state.second_moment)
        rho = value_at(decay, state.step)
        scale = weight_sum(rho, state.step) if bias_correction else 1.0
        wide = widen(updates)
        second = average(state.second_moment, jax.tree.map(jnp.square, wide), rho)
        first, spread = (), jax.tree.map(lambda r: r / scale, second)
        if centered:
            first = average(state.first_moment, wide, rho)
            spread = jax.tree.map(lambda r, m: jnp.maximum(r - (m / scale) ** 2, 0), spread, first)
        steps = jax.tree.map(
            lambda g, r: g * inverse_root(r, eps, eps_inside=eps_inside), wide, spread
        )
        return narrow(steps, updates), RmspropState(optax.safe_increment(state.step), first, second)

    return optax.GradientTransformationExtraArgs(init, update)


def rmsprop(
    learning_rate: ScalarOrSchedule,
    decay: ScalarOrSchedule = 0.9,
    *,
    momentum: ScalarOrSchedule = 0.0,
    lr_inside: bool = False,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    bias_correction: bool = False,
    centered: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""RMSProp, with an optional velocity: `scale_by_rmsprop`, `scale_by_momentum`, the rate.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        decay: see `scale_by_rmsprop`.
        momentum: decay of the velocity of the scaled gradients, in `[0, 1)`, a number or a
            schedule; 0 is plain RMSProp (its velocity is kept all the same, so that it may be
            traced).
        lr_inside: whether the rate multiplies the scaled gradient before it enters the velocity
            (Keras, optax) or multiplies the velocity (PyTorch); the same at a constant rate.
        eps: see `scale_by_rmsprop`, like all that follow.
        eps_inside: place of $\varepsilon$: outside in PyTorch, inside in Keras.
        bias_correction: whether to correct the averages.
        centered: whether to divide by the root of the variance.
        initial_accumulator: $r_0$.

    Raises:
        ValueError: a hyper-parameter is out of range.

    Example:
        >>> pytorch = rmsprop(0.01, 0.99, eps=1e-8)
        >>> step, _ = pytorch.update(jnp.array(20.0), pytorch.init(jnp.zeros(())))
        >>> round(float(step), 4)
        -0.1

    References:
        S-OPT-13, S-OPT-14, S-LIB-02.
    """
    if not callable(momentum):
        check_range("momentum", momentum, low=0.0, below=1.0)
    rule = scale_by_rmsprop(
        decay,
        eps=eps,
        eps_inside=eps_inside,
        bias_correction=bias_correction,
        centered=centered,
        initial_accumulator=initial_accumulator,
    )
    velocity, rate = scale_by_momentum(momentum), gradient_descent(learning_rate)
    return optax.chain(rule, rate, velocity) if lr_inside else optax.chain(rule, velocity, rate)
