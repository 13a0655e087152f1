"""Adam up to a switch, then SGD with momentum."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import check_choice, check_functions, check_integer, check_range
from jaxtricks._moments import cast_like, full_moment, scalar, scalar_like, to_float32, weight_sum
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks.control import ControlRule
from jaxtricks.optimizers._adam import AdamState, scale_by_adam
from jaxtricks.schedules import ScalarOrSchedule, value_at


class AdamToSgdState(NamedTuple):
    """State of `adam_to_sgd`: both rules and the switch between them.

    Attributes:
        adam: state of Adam, which is still updated after the switch; `adam.count` counts all
            updates.
        switched: whether the switch has happened. It is never undone.
        sgd_step: number of updates made by SGD. The first of them is update
            `adam.count - sgd_step`, counted from 0.
        velocity: velocity of SGD; 0 before the switch.
        control: state of the control rule; `()` if `when` is a number.
        learning_rate: learning rate of the last update, Adam's or SGD's. Before the first update it
            is Adam's learning rate for that update.
    """

    adam: AdamState
    switched: Bool[Array, ""]
    sgd_step: Int[Array, ""]
    velocity: PyTree
    control: PyTree
    learning_rate: Float[Array, ""]


def _sum_of_gradients(adam: AdamState, b1: ScalarOrSchedule, decay: ScalarLike) -> PyTree:
    """Estimates the velocity that SGD would have by now, from Adam's first moment."""
    last = jnp.maximum(adam.count, 1) - 1  # before any update moment and velocity are 0
    average_weight = weight_sum(value_at(b1, last), last)
    decay = scalar(decay)
    undecayed = decay == 1  # there the limit of the quotient is the number of updates
    total = weight_sum(decay, last)
    quotient = total / scalar_like(jnp.where(undecayed, 1, 1 - decay), total)
    updates = jnp.asarray(last, quotient.dtype) + 1
    scale = jnp.where(undecayed, updates, quotient) / average_weight
    return jax.tree.map(lambda m: m * scalar_like(scale, m), adam.mu)


def adam_to_sgd(
    learning_rate: ScalarOrSchedule,
    *,
    when: ScalarLike | ControlRule,
    sgd_learning_rate: ScalarOrSchedule,
    momentum: ScalarOrSchedule = 0.9,
    velocity: Literal["carry", "reset"] = "carry",
    b1: ScalarOrSchedule = 0.9,
    b2: ScalarOrSchedule = 0.999,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    eps_hat: bool = False,
    bias_correction: bool = True,
) -> optax.GradientTransformationExtraArgs:
    r"""Optimizes with Adam up to a switch, and with SGD and momentum after it.

    The step of SGD is $v \leftarrow \rho v + g$, $x \leftarrow x - \alpha v$. Each update computes
    the step of Adam and that of SGD and uses one of them, so a `vmap` over `when` compares many
    switches in one program. The switch is never undone.

    Args:
        learning_rate: learning rate of Adam, at least 0, a number or a schedule that counts all
            updates.
        when: number of updates that Adam makes (an integer, which may be traced; with 0, SGD makes
            all), or a control rule that says when to stop Adam, such as `control.early_stopping`.
            The rule observes the metric that `update` gets as the argument `value`; for
            `progress_quotient` this is a pair, and None means no observation. If the rule says stop
            in a call, SGD makes the update of that call already.
        sgd_learning_rate: learning rate of SGD, at least 0, a number or a schedule that counts from
            the switch.
        momentum: $\rho$ in `[0, 1]`, a number or a schedule that counts from the switch.
        velocity: initial velocity of SGD. "reset" is zero. "carry" is a multiple of Adam's
            bias-corrected first moment: $\hat m_t (1 - \rho^t) / (1 - \rho)$ after $t$ updates of
            Adam. The factor turns an average of gradients into the sum that SGD keeps. The product
            is an estimate of the velocity that SGD would have after the same gradients, and is
            exact if $\rho = \beta_1$ or if the gradients were constant. It does not depend on any
            learning rate.
        b1: decay of the first moment; see `scale_by_adam` for this and the arguments below.
        b2: decay of the second moment.
        eps: $\varepsilon$, added to the root of the second moment.
        eps_inside: whether to add $\varepsilon$ under the root.
        eps_hat: whether to add $\varepsilon$ to the root of the uncorrected second moment.
        bias_correction: whether the steps of Adam use corrected moments. The carried velocity is
            always corrected.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: `when` is neither an integer nor a control rule whose output is a bool, a boolean
            argument is not a bool, or a leaf is not floating-point.

    Example:
        >>> tx = adam_to_sgd(0.1, when=2, sgd_learning_rate=0.01, velocity="reset")
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(4):
        ...     step, state = tx.update(jnp.array(3.0), state)
        ...     print(round(float(step), 3))
        -0.1
        -0.1
        -0.03
        -0.057

    References:
        Keskar and Socher, [Improving generalization performance by switching from Adam to
        SGD](https://arxiv.org/abs/1712.07628), 2017. For the paper's own criterion of when to
        switch see `swats`.
    """
    for name, rate in (
        ("learning_rate", learning_rate),
        ("sgd_learning_rate", sgd_learning_rate),
        ("momentum", momentum),
    ):
        if not callable(rate):
            check_range(name, rate, low=0.0, high=1.0 if name == "momentum" else None)
    check_choice("velocity", velocity, ("carry", "reset"))
    if isinstance(when, ControlRule):
        check_functions("when", when, ControlRule)
    else:
        check_integer("when", when, low=0)
    rule = scale_by_adam(
        b1, b2=b2, eps=eps, eps_inside=eps_inside, eps_hat=eps_hat, bias_correction=bias_correction
    )

    def init(params: PyTree) -> AdamToSgdState:
        check_floating_tree("params", params)
        return AdamToSgdState(
            adam=rule.init(params),
            switched=jnp.zeros([], bool),
            sgd_step=jnp.zeros([], jnp.int32),
            velocity=full_moment(params),
            control=when.init(params) if isinstance(when, ControlRule) else (),
            learning_rate=jnp.array(value_at(learning_rate, jnp.zeros([], jnp.int32)), jnp.float32),
        )

    def observe(
        state: AdamToSgdState, value: PyTree | None, params: PyTree | None
    ) -> tuple[Bool[Array, ""], PyTree]:
        if not isinstance(when, ControlRule):
            return state.switched | (state.adam.count >= when), ()
        if value is None:
            return state.switched, state.control
        should_stop, control = when.update(value, state.control, params)
        kind = jnp.result_type(should_stop)
        if not jnp.issubdtype(kind, jnp.bool_):
            raise TypeError(
                "when must output a bool, as control.early_stopping does, got an output of dtype "
                f"{kind}."
            )
        return state.switched | should_stop, control

    def update(
        updates: PyTree,
        state: AdamToSgdState,
        params: PyTree | None = None,
        *,
        value: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, AdamToSgdState]:
        del extra_args
        check_updates(updates, state.velocity)
        switched, control = observe(state, value, params)
        wide = to_float32(updates)
        adam_steps, adam = rule.update(wide, state.adam)
        adam_rate = value_at(learning_rate, state.adam.count)
        sgd_rate = value_at(sgd_learning_rate, state.sgd_step)
        rho = value_at(momentum, state.sgd_step)
        past = state.velocity
        if velocity == "carry":
            start = _sum_of_gradients(state.adam, b1, rho)
            past = jax.tree.map(lambda v, s: jnp.where(state.switched, v, s), past, start)
        gathered = jax.tree.map(
            lambda v, g: jnp.where(switched, scalar_like(rho, v) * v + g, 0), past, wide
        )
        steps = jax.tree.map(
            lambda a, v: jnp.where(
                switched, -scalar_like(sgd_rate, v) * v, -scalar_like(adam_rate, a) * a
            ),
            adam_steps,
            gathered,
        )
        sgd_step = jnp.where(switched, optax.safe_increment(state.sgd_step), 0)
        rate = jnp.where(switched, *(jnp.asarray(r, jnp.float32) for r in (sgd_rate, adam_rate)))
        after = AdamToSgdState(adam, switched, sgd_step, gathered, control, rate)
        return cast_like(steps, updates), cast_like(after, state)

    return optax.GradientTransformationExtraArgs(init, update)
