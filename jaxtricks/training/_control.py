"""The control rules of a run: what they observe, and how they change or end the run."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jaxtricks._checks import check_functions, check_instance
from jaxtricks._types import ScalarLike
from jaxtricks.control import ControlRule
from jaxtricks.training._state import TrainState
from jaxtricks.training._trainer import Trainer


class Control(NamedTuple):
    """The control rules of a run and the metric that they observe.

    Attributes:
        plateau: the rule that returns the factor by which updates are multiplied, or None.
        stopping: the rule that returns whether to stop, or None.
        monitor: the name of the validation metric that both rules observe.
    """

    plateau: ControlRule | None
    stopping: ControlRule | None
    monitor: str

    @property
    def mode(self) -> str:
        """Whether a smaller metric is better (`"min"`) or a larger one (`"max"`)."""
        rules = [rule for rule in (self.plateau, self.stopping) if rule is not None]
        return rules[0].mode if rules else "min"


class Position(NamedTuple):
    """The complete state of a run after an epoch, from which the run can be continued.

    `fit` stores it in its checkpoints, and `run` accepts it as `start`.

    Attributes:
        state: the `TrainState`.
        plateau: the state of the control rule that `fit` or `run` got as `plateau`; None without
            such a rule.
        stopping: the state of the control rule that `fit` or `run` got as `stopping`; None without
            such a rule.
        epoch: the number of finished epochs, int32.
    """

    state: TrainState
    plateau: PyTree
    stopping: PyTree
    epoch: PyTree


def begin(trainer: Trainer, control: Control, state: TrainState) -> Position:
    """Returns the position before the first epoch."""
    plateau, stopping = control.plateau, control.stopping
    return Position(
        state,
        None if plateau is None else plateau.init(),
        None if stopping is None else stopping.init(trainer.variables(state)),
        jnp.zeros((), jnp.int32),
    )


def observe(
    trainer: Trainer, control: Control, position: Position, value: ScalarLike
) -> tuple[Position, Bool[Array, ""]]:
    """Ends an epoch: passes the metric to both rules, and counts the epoch as finished.

    Returns:
        The new position, and whether to stop.
    """
    state, plateau, stopping, epoch = position
    stop = jnp.zeros((), bool)
    if control.plateau is not None:
        scale, plateau = control.plateau.update(value, plateau)
        scale = jnp.asarray(scale, state.learning_rate_scale.dtype)
        state = dataclasses.replace(state, learning_rate_scale=scale)
    if control.stopping is not None:
        stop, stopping = control.stopping.update(value, stopping, trainer.variables(state))
    return Position(state, plateau, stopping, epoch + 1), stop


def was_stopped(trainer: Trainer, control: Control, position: Position) -> Bool[Array, ""]:
    """Says whether the stopping rule has already ended the run."""
    if control.stopping is None:
        return jnp.zeros((), bool)
    model = trainer.variables(position.state)
    return jnp.asarray(control.stopping.update(None, position.stopping, model)[0])


def first_scale(control: Control) -> Float[Array, ""] | None:
    """Returns the plateau rule's factor before its first observation; None without such a rule."""
    if control.plateau is None:
        return None
    return control.plateau.update(None, control.plateau.init())[0]


def check_control(control: Control) -> None:
    """Checks that each rule returns what its argument needs, and that its mode suits the metric.

    Raises:
        TypeError: `monitor` is not a string, a rule is not a `ControlRule`, `plateau` returns a
            bool, or `stopping` does not.
        ValueError: the rules differ in `mode`, or the mode does not suit the name of the metric: an
            accuracy needs `"max"` and a loss `"min"`.
    """
    check_instance("monitor", control.monitor, str)
    for name, example in (
        ("plateau", "control.plateau(), which returns a factor"),
        ("stopping", "control.early_stopping(5), which returns whether to stop"),
    ):
        rule = getattr(control, name)
        if rule is None:
            continue
        check_functions(name, rule, ControlRule)
        check_side(name, rule.mode, control.monitor)
        answer = jax.eval_shape(lambda rule=rule: answer_of(rule))
        if jnp.issubdtype(answer.dtype, jnp.bool_) != (name == "stopping"):
            raise TypeError(
                f"{name} must be a rule such as {example}, got one that returns {answer.dtype}."
            )
        if rule.mode != control.mode:
            raise ValueError(
                f"stopping must have the same mode as plateau, {control.mode!r}, got {rule.mode!r}."
            )


def answer_of(rule: ControlRule) -> Array:
    """Returns the output of a rule before its first observation, for a model of one number."""
    model = {"params": jnp.zeros(())}
    return jnp.asarray(rule.update(None, rule.init(model), model)[0])


def check_side(name: str, mode: str, monitor: str) -> None:
    """Checks that the mode of a rule suits the name of the metric.

    Raises:
        ValueError: the name ends in "accuracy" and the mode is "min", or it ends in "loss" and the
            mode is "max".
    """
    for ending, right in (("accuracy", "max"), ("loss", "min")):
        if monitor.endswith(ending) and mode != right:
            raise ValueError(
                f"{name} must have mode={right!r} for monitor={monitor!r}, got {mode!r}."
            )


def check_first_scale(scale: object) -> None:
    """Checks that a plateau rule starts with the factor 1; a traced factor is not checked.

    Raises:
        ValueError: the first factor is not 1.
    """
    if scale is None or isinstance(scale, jax.core.Tracer) or float(scale) == 1:
        return
    raise ValueError(
        "plateau must have initial=1, because its factor multiplies the updates, "
        f"got initial={float(scale):g}."
    )
