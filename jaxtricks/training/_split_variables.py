"""The parameters of a model and its other variables."""

from collections.abc import Mapping

from jaxtyping import PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks.training._state import TrainState


def split_variables(variables: Mapping[str, PyTree]) -> tuple[PyTree, dict[str, PyTree]]:
    """The parameters and the model's other variables.

    Raises:
        TypeError: this is not a mapping, or a parameter is not real and floating.
        ValueError: there are no `"params"`.
    """
    check_model_variables(variables)
    params = variables["params"]
    try:
        check_floating_tree("params", params)
    except TypeError as error:
        raise TypeError(f'{error} What is not trained belongs beside "params".') from None
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
