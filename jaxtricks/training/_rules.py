"""What can be wrong with the rules that watch a run."""

import jax
import jax.numpy as jnp

from jaxtricks._checks import check_instance
from jaxtricks.control import Machine


def check_rules(plateau: Machine | None, stopping: Machine | None, monitor: str) -> None:
    """Checks that each rule does what its argument is for, and watches the right side.

    Raises:
        TypeError: a rule is no machine, or answers the other argument's question.
        ValueError: the plateau rule does not begin with the factor 1, or a rule wants an accuracy
            to be small or a loss to be large.
    """
    with jax.ensure_compile_time_eval():  # `make_run` may be called while a trial is traced
        check_answers(plateau, stopping, monitor)


def check_answers(plateau: Machine | None, stopping: Machine | None, monitor: str) -> None:
    """Asks each rule once; what depends on traced hyper-parameters passes."""
    model = {"params": jnp.zeros(())}
    for name, machine, example in (
        ("plateau", plateau, "control.plateau(), which answers a factor"),
        ("stopping", stopping, "control.early_stopping(5), which answers whether to stop"),
    ):
        if machine is None:
            continue
        check_instance(name, machine, Machine)
        state = machine.init(model)
        answer, _ = machine.update(None, state, model)
        if jnp.issubdtype(jnp.result_type(answer), jnp.bool_) != (name == "stopping"):
            raise TypeError(f"{name} must be a rule such as {example}, got one that does not.")
        if name == "plateau" and known(answer) and float(answer) != 1:
            raise ValueError(
                "plateau must have initial=1, since it multiplies the updates of the rule, "
                f"got initial={float(answer):g}."
            )
        best = getattr(state, "best_value", jnp.zeros(()))
        if known(best):
            check_side(name, monitor, float(best))


def check_side(name: str, monitor: str, best: float) -> None:
    """Compares the side of a rule, whose best value begins at the worst, with the metric's."""
    for ending, worst, mode, other in (
        ("accuracy", -1, "max", "min"),
        ("loss", 1, "min", "max"),
    ):
        if monitor.endswith(ending) and best * worst < 0:
            raise ValueError(
                f'{name} must have mode="{mode}" for monitor={monitor!r}, got "{other}".'
            )


def known(value: object) -> bool:
    """Whether a value is there already."""
    return not isinstance(value, jax.core.Tracer)
