"""Splitting the variables of a model into its parameters and the rest."""

from collections.abc import Mapping

from jaxtyping import PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks.training._state import TrainState


def split_variables(variables: Mapping[str, PyTree]) -> tuple[PyTree, dict[str, PyTree]]:
    """Splits variables into the parameters and a dict of the model's other collections.

    Raises:
        TypeError: `variables` is not a mapping, or a parameter is not real and floating.
        ValueError: there are no `"params"`.
    """
    check_model_variables(variables)
    params = variables["params"]
    try:
        check_floating_tree("params", params)
    except TypeError as error:
        raise TypeError(
            f'{error} Put what is not trained into another collection than "params".'
        ) from None
    return params, {name: tree for name, tree in variables.items() if name != "params"}


def check_model_variables(variables: object) -> None:
    """Checks a dict of collections that holds `"params"`.

    Raises:
        TypeError: `variables` is not a mapping but, for example, a `TrainState`.
        ValueError: there are no `"params"`.
    """
    if isinstance(variables, TrainState):
        raise TypeError(
            "variables must be a Mapping, got a TrainState: pass trainer.variables(state)."
        )
    check_variables(variables)
