"""Whether a state fits the trainer that is to train it."""

from typing import Any

import jax

from jaxtricks._tree_checks import check_same_tree


def check_own_state(name: str, trainer: Any, state: Any) -> None:
    """Checks the optimizer's state: one of another rule fails deep inside of the rule.

    Raises:
        ValueError: it differs in structure or shapes from what `trainer.init` makes of the state's
            variables; the message names the first leaf that does.
    """
    own = jax.eval_shape(lambda state: trainer.init(trainer.variables(state)), state).opt_state
    check_same_tree(f"{name}.opt_state", state.opt_state, "what this trainer's init makes", own)
