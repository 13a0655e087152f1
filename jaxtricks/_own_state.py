"""A check that a training state fits a trainer."""

from typing import Any

import jax

from jaxtricks._tree_checks import check_same_tree


def check_own_state(name: str, trainer: Any, state: Any) -> None:
    """Checks that the optimizer state in `state` has the form that the trainer's optimizer makes.

    The state of another optimizer would raise an unclear error inside the optimizer.

    Raises:
        ValueError: the optimizer state has another structure or other shapes than the one that
            `trainer.init` makes from the variables; the message names the first leaf that differs.
    """
    own = jax.eval_shape(lambda state: trainer.init(trainer.variables(state)), state).opt_state
    check_same_tree(f"{name}.opt_state", state.opt_state, "what this trainer's init makes", own)
