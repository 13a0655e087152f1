"""Reading the learning rate of the last update from the state of an optimizer."""

import optax
from jaxtyping import Array, PyTree


def reported_rate(opt_state: PyTree) -> Array | None:
    """Returns the learning rate of the last update; None if the state holds none, or several.

    The optimizers of this library store it in a field `learning_rate`, and
    `optax.inject_hyperparams` stores it in `hyperparams`. Optax's own optimizers do not store it. A
    state holds several learning rates if different parameters have different ones.

    Example:
        >>> from jaxtricks.optimizers import adam
        >>> round(float(reported_rate(adam(0.25).init({}))), 2)
        0.25
    """
    found = dict(optax.tree.get_all_with_path(opt_state, "learning_rate"))
    fields = {path: rate for path, rate in found.items() if is_field(path[-1:], "learning_rate")}
    injected = {
        path[:-2]: rate for path, rate in found.items() if is_field(path[-2:-1], "hyperparams")
    }
    own = [
        rate
        for path, rate in fields.items()
        if not any(path[: len(outer)] == outer for outer in injected)
    ]
    rates = [*injected.values(), *own]
    return rates[0] if len(rates) == 1 else None


def is_field(key: tuple, name: str) -> bool:
    """Says whether `key` is a path of one key: the field `name` of a named tuple, not of a dict."""
    return bool(key) and getattr(key[0], "name", None) == name
