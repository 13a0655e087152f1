"""What watches the validation metric of a run, and what follows from it."""

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
    """The rules of a run.

    Attributes:
        plateau: answers the factor by which updates are multiplied, or None.
        stopping: answers whether to stop, or None.
        monitor: the validation metric that both watch.
    """

    plateau: ControlRule | None
    stopping: ControlRule | None
    monitor: str

    @property
    def mode(self) -> str:
        """Whether a small metric is good ("min") or a large one ("max")."""
        rules = [rule for rule in (self.plateau, self.stopping) if rule is not None]
        return rules[0].mode if rules else "min"


class Position(NamedTuple):
    """All that a run needs to go on after an epoch, as checkpoints hold it.

    Attributes:
        state: the `TrainState`.
        plateau: state of the plateau rule; None without one.
        stopping: state of the stopping rule; None without one.
        epoch: how many are finished, int32.
    """

    state: TrainState
    plateau: PyTree
    stopping: PyTree
    epoch: PyTree


def begin(trainer: Trainer, control: Control, state: TrainState) -> Position:
    """The position before the first epoch."""
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
    """Ends an epoch: both rules see the metric; gives the new position and whether to stop."""
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
    """Whether the stopping rule has ended the run already."""
    if control.stopping is None:
        return jnp.zeros((), bool)
    model = trainer.variables(position.state)
    return jnp.asarray(control.stopping.update(None, position.stopping, model)[0])


def first_scale(control: Control) -> Float[Array, ""] | None:
    """The factor that the plateau rule answers before it has seen anything."""
    if control.plateau is None:
        return None
    return control.plateau.update(None, control.plateau.init())[0]


def check_control(control: Control) -> None:
    """Checks that each rule does what its argument is for, and watches the right side.

    Raises:
        TypeError: `monitor` is not a name, or a rule is not a `ControlRule`, or answers the other
            argument's question.
        ValueError: the rules differ in `mode`, or a rule wants an accuracy to be small or a loss to
            be large.
    """
    check_instance("monitor", control.monitor, str)
    for name, example in (
        ("plateau", "control.plateau(), which answers a factor"),
        ("stopping", "control.early_stopping(5), which answers whether to stop"),
    ):
        rule = getattr(control, name)
        if rule is None:
            continue
        check_functions(name, rule, ControlRule)
        check_side(name, rule.mode, control.monitor)
        answer = jax.eval_shape(lambda rule=rule: answer_of(rule))
        if jnp.issubdtype(answer.dtype, jnp.bool_) != (name == "stopping"):
            raise TypeError(f"{name} must be a rule such as {example}, got one that does not.")
        if rule.mode != control.mode:
            raise ValueError(
                f"stopping must have the mode of plateau, {control.mode!r}, got {rule.mode!r}."
            )


def answer_of(rule: ControlRule) -> Array:
    """What a rule answers before it has seen anything, about a model of one number."""
    model = {"params": jnp.zeros(())}
    return jnp.asarray(rule.update(None, rule.init(model), model)[0])


def check_side(name: str, mode: str, monitor: str) -> None:
    """Compares the mode of a rule with what a metric's name says.

    Raises:
        ValueError: they contradict each other.
    """
    for ending, right in (("accuracy", "max"), ("loss", "min")):
        if monitor.endswith(ending) and mode != right:
            raise ValueError(
                f"{name} must have mode={right!r} for monitor={monitor!r}, got {mode!r}."
            )


def check_first_scale(scale: object) -> None:
    """Checks that a plateau rule begins with the factor 1; a traced one passes.

    Raises:
        ValueError: it does not.
    """
    if scale is None or isinstance(scale, jax.core.Tracer) or float(scale) == 1:
        return
    raise ValueError(
        "plateau must have initial=1, since it multiplies the updates of the rule, "
        f"got initial={float(scale):g}."
    )
