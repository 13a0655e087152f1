"""The parameters of a model and its other variables."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks.training._state import TrainState


def split_variables(variables: Mapping[str, PyTree]) -> tuple[PyTree, dict[str, PyTree]]:
    """The parameters and the model's other variables.

    Raises:
        TypeError: this is not a mapping, or a parameter is not real and floating.
        ValueError: there are no `"params"`.
    """
    check_model_variables(variables)
    params = variables["params"]
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"params{jax.tree_util.keystr(path)} must be real and floating, "
                f"got {jnp.result_type(leaf)}: put what is not trained beside the parameters."
            )
    return params, {name: tree for name, tree in variables.items() if name != "params"}


def check_model_variables(variables: object) -> None:
    """Checks a dict of collections with `"params"`.

    Raises:
        TypeError: it is something else, such as a state.
        ValueError: there are no `"params"`.
    """
    if isinstance(variables, TrainState):
        raise TypeError(
            "variables must be a Mapping, got a TrainState: give trainer.variables(state)."
        )
    check_variables(variables)
