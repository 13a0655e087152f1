"""A check of the variables of a model."""

from collections.abc import Mapping

from jaxtricks._checks import check_instance


def check_variables(variables: object) -> None:
    """Checks the variables of a model: a mapping of collections, one of which is `"params"`.

    Raises:
        TypeError: `variables` is not a mapping.
        ValueError: `variables` has no `"params"`.
    """
    check_instance("variables", variables, Mapping)
    if "params" not in variables:  # pyrefly: ignore[not-iterable]
        raise ValueError(
            f'variables must hold "params", got {sorted(map(str, variables))}: pass everything '
            'that model.init returns, or {"params": tree}.'
        )
