"""Adam first, for speed; momentum SGD after a switch, for the optimum."""

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
    """Both rules and the switch between them.

    Attributes:
        adam: Adam's state, which is still updated after the switch; `adam.count` counts all updates
            done.
        switched: whether the switch has happened; never undone.
        sgd_step: updates done since the switch, so the switch came before update
            `adam.count - sgd_step`.
        velocity: SGD's, zero before the switch.
        control: state of the control rule, `()` when `when` is a count.
        learning_rate: of the last update, Adam's or SGD's; at first Adam's of the next.
    """

    adam: AdamState
    switched: Bool[Array, ""]
    sgd_step: Int[Array, ""]
    velocity: PyTree
    control: PyTree
    learning_rate: Float[Array, ""]


def _sum_of_gradients(adam: AdamState, b1: ScalarOrSchedule, decay: ScalarLike) -> PyTree:
    """The velocity that SGD would have in Adam's place, by Adam's first moment."""
    last = jnp.maximum(adam.count, 1) - 1  # before any update the moment is 0, as it should be
    average_weight = weight_sum(value_at(b1, last), last)
    decay = scalar(decay)
    undecayed = decay == 1  # the limit of the quotient is the number of updates
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
    r"""Adam up to a switch, then $v \leftarrow \rho v + g$, $x \leftarrow x - \alpha v$.

    Both steps are computed at every update and one is selected, so a `vmap` over `when` compares
    many switches in one program. The switch is never undone.

    Args:
        learning_rate: Adam's rate, at least 0, a number or a schedule of all updates.
        when: how many updates Adam makes (an integer, 0 for none; it may be traced), or a control
            rule that says when to stop Adam, such as `control.early_stopping`. The rule observes
            `update(..., value=...)`, for `progress_quotient` a pair; None means no observation. The
            update in which the rule says stop is already made by SGD.
        sgd_learning_rate: SGD's rate, at least 0, a number or a schedule that counts from the
            switch.
        momentum: $\rho$ in `[0, 1]`, a number or a schedule that counts from the switch.
        velocity: what SGD's velocity starts from. `"reset"`: zero. `"carry"`: Adam's corrected
            first moment, $\hat m_t (1 - \rho^t) / (1 - \rho)$ after $t$ updates of Adam. The factor
            turns an average of gradients into the sum that SGD keeps: this is the velocity that SGD
            would have by then had it seen the same gradients, exactly so when $\rho = \beta_1$ or
            when the gradients were constant. No learning rate enters it.
        b1: see `scale_by_adam`, like all that follow.
        b2: decay of the second moment.
        eps: $\varepsilon$.
        eps_inside: place of $\varepsilon$.
        eps_hat: place of $\varepsilon$.
        bias_correction: whether Adam's step corrects the moments; the carried velocity is always
            corrected.

    Raises:
        ValueError: a hyper-parameter is out of range, or the updates do not match the parameters.
        TypeError: `when` is neither an integer nor a control rule that answers whether to stop, a
            flag is not a bool, or a leaf is not floating.

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
        SGD](https://arxiv.org/abs/1712.07628), 2017; its own criterion of when to switch is
        `swats`.
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
            raise TypeError(f"when must answer whether to stop, got a rule that answers {kind}.")
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
