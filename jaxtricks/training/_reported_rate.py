"""The learning rate that an update rule has used, read from its state."""

import optax
from jaxtyping import Array, PyTree


def reported_rate(opt_state: PyTree) -> Array | None:
    """The rate of the last update; None if the state holds none, or several of different parts.

    Our optimizers hold it as `learning_rate`, and so does `optax.inject_hyperparams`. The rules of
    optax itself keep no rate.

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
    """Whether one key of a path is the field `name` of a named tuple, not an entry of a dict."""
    return bool(key) and getattr(key[0], "name", None) == name
