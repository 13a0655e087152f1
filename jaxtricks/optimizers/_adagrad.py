"""AdaGrad: a learning rate for each coordinate, which falls as its squared gradients add up."""

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
    """State of `scale_by_adagrad`.

    Attributes:
        sum_of_squares: initial accumulator plus all squared gradients so far, in float32 or wider.
    """

    sum_of_squares: PyTree


def scale_by_adagrad(
    *,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    initial_accumulator: ScalarLike = 0.0,
) -> optax.GradientTransformationExtraArgs:
    r"""Divides gradients by the root of the sum of all squared gradients: the AdaGrad rule.

    The step is $g_t / (\sqrt{r_t} + \varepsilon)$ with $r_t = r_{t-1} + g_t^2$. Steep directions
    get a small effective learning rate and flat directions a large one. $r$ only grows, so the
    effective learning rate tends to 0, as $1 / \sqrt t$ under a constant gradient. A single
    gradient of 1.9e19 or more, whose square is infinite in float32, makes all later updates of its
    coordinate 0, as in PyTorch and optax. Clip gradients before this rule if they may be that
    large.

    Args:
        eps: $\varepsilon \ge 0$. With 0, a coordinate whose gradients were all 0 has the update 0.
        eps_inside: whether to add $\varepsilon$ under the root, $\sqrt{r + \varepsilon}$. There it
            has the effect that $\sqrt\varepsilon$ has outside. The paper and PyTorch add it
            outside, optax and Keras inside.
        initial_accumulator: $r_0 \ge 0$ of every coordinate. It is 0 in PyTorch, and 0.1 in optax
            and Keras, which shortens the first step under a gradient of 1 from 1 to 0.953.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: `eps_inside` is not a bool, or a leaf is not floating-point.

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
    r"""The AdaGrad optimizer: `scale_by_adagrad`, then the step $x \leftarrow x - \alpha u$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule; 0.01 is a common choice.
        eps: $\varepsilon$; see `scale_by_adagrad` for this and the arguments below.
        eps_inside: whether to add $\varepsilon$ under the root.
        initial_accumulator: initial value of the sum of squares.

    Raises:
        ValueError: a hyper-parameter is out of range.
        TypeError: `eps_inside` is not a bool.

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
