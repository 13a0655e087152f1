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
            to be small.
    """
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
        known = not isinstance(answer, jax.core.Tracer)
        if name == "plateau" and known and float(answer) != 1:
            raise ValueError(
                "plateau must have initial=1, since it multiplies the updates of the rule, "
                f"got initial={float(answer):g}."
            )
        best = getattr(state, "best_value", 0)
        if monitor.endswith("accuracy") and best > 0:
            raise ValueError(f'{name} must have mode="max" for monitor={monitor!r}, got "min".')
