"""A learning rate per coordinate that falls with the squares of all its past gradients."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from jaxtricks._checks import check_flag, check_range
from jaxtricks._moments import cast_like, divide_by_root, full_moment, to_float32
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.schedules import ScalarOrSchedule


class AdagradState(NamedTuple):
    """`sum_of_squares`: of all gradients so far, shaped like the parameters, float32 or wider."""

    sum_of_squares: PyTree


def scale_by_adagrad(
    *,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""Replaces the updates by $g_t / (\sqrt{r_t} + \varepsilon)$, $r_t = r_{t-1} + g_t^2$.

    Steep directions get a small rate and flat ones a large rate. $r$ only grows, so the rate tends
    to 0: $1 / \sqrt t$ under a constant gradient. One gradient of 1.9e19 or more, whose square is
    infinite in float32, sets the updates of its coordinate to 0 for ever, as in PyTorch and optax:
    clip gradients before the rule if they may be that large.

    Args:
        eps: $\varepsilon \ge 0$; with 0, 0/0 is 0.
        eps_inside: $\sqrt{r + \varepsilon}$ instead; this $\varepsilon$ acts like the root of one
            outside. Outside in the paper and PyTorch, inside in optax and Keras.
        initial_accumulator: $r_0 \ge 0$ of every coordinate: 0 in PyTorch; 0.1 in optax and Keras,
            which shortens the first step from 1 to 0.953 under a gradient of 1.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: a flag is not a bool, or a leaf is not floating.

    Example:
        >>> tx = scale_by_adagrad()
        >>> state = tx.init(jnp.zeros(2))
        >>> for _ in range(4):
        ...     step, state = tx.update(jnp.array([100.0, -1.0]), state)
        ...     print([round(float(x), 3) for x in step])
        [1.0, -1.0]
        [0.707, -0.707]
        [0.577, -0.577]
        [0.5, -0.5]

    References:
        Duchi et al., [Adaptive subgradient methods](https://jmlr.org/papers/v12/duchi11a.html),
        2011.
    """
    check_flag("eps_inside", eps_inside)
    check_range("eps", eps, low=0.0)
    check_range("initial_accumulator", initial_accumulator, low=0.0)

    def init(params: PyTree) -> AdagradState:
        check_floating_tree("params", params)
        return AdagradState(sum_of_squares=full_moment(params, initial_accumulator))

    def update(
        updates: PyTree, state: AdagradState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, AdagradState]:
        del params, extra_args
        check_updates(updates, state.sum_of_squares)
        wide = to_float32(updates)
        total = jax.tree.map(
            lambda r, g: r + jnp.square(jnp.asarray(g, r.dtype)), state.sum_of_squares, wide
        )
        steps = jax.tree.map(
            lambda g, r: divide_by_root(g, r, eps, eps_inside=eps_inside), wide, total
        )
        return cast_like(steps, updates), AdagradState(sum_of_squares=total)

    return optax.GradientTransformationExtraArgs(init, update)


def adagrad(
    learning_rate: ScalarOrSchedule,
    *,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""AdaGrad: `scale_by_adagrad`, then $x \leftarrow x - \alpha u$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule; 0.01 is a common choice.
        eps: see `scale_by_adagrad`, like all that follow.
        eps_inside: place of $\varepsilon$.
        initial_accumulator: $r_0$.

    Raises:
        ValueError: a hyper-parameter is out of range.

    Example:
        >>> tx = adagrad(0.01)
        >>> step, _ = tx.update(jnp.array(20.0), tx.init(jnp.zeros(())))
        >>> round(float(step), 6)
        -0.01

    References:
        Duchi et al., [Adaptive subgradient methods](https://jmlr.org/papers/v12/duchi11a.html),
        2011.
    """
    rule = scale_by_adagrad(eps=eps, eps_inside=eps_inside, initial_accumulator=initial_accumulator)
    return wide_chain(rule, gradient_descent(learning_rate))
