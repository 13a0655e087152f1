"""What a model's variables must be."""

from collections.abc import Mapping

from jaxtricks._checks import check_instance


def check_variables(variables: object) -> None:
    """Checks a model's variables: a dict of collections, with `"params"`.

    Raises:
        TypeError: it is not a mapping.
        ValueError: there are no `"params"`.
    """
    check_instance("variables", variables, Mapping)
    if "params" not in variables:  # pyrefly: ignore[not-iterable]
        raise ValueError(
            f'variables must hold "params", got {sorted(map(str, variables))}: give what '
            'model.init gives, whole, or {"params": tree}.'
        )
