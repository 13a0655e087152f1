"""Whether a run takes every hyper-parameter that a search draws."""

from typing import Any

import jax
from jax.interpreters.partial_eval import dce_jaxpr
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import shown
from jaxtricks.tuning._trials import columns, groups, program, traced_rows


def check_used(
    run: Any, hyper_parameters: PyTree, key: Key[Array, ""], shared: tuple, epochs: int | None
) -> None:
    """Checks that what a run gives depends on each traced hyper-parameter, of some group at least.

    Of static ones only their absence from a signature would be seen, by Python itself.

    Raises:
        ValueError: on one it does not.
    """
    named = columns(hyper_parameters)
    unused = [name for name, values in named.items() if values.dtype != object]
    traced = list(unused)
    for group in groups(hyper_parameters, list(range(len(next(iter(named.values())))))).values():
        if not unused:
            return
        call = program(run, hyper_parameters, group[0], 0, epochs)
        values = [row[0] for row in traced_rows(hyper_parameters, group[:1])]
        jaxpr = jax.make_jaxpr(call)(key, values, *shared).jaxpr
        _, used = dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
        unused = [name for name in unused if not used[1 + traced.index(name)]]
    if unused:
        raise ValueError(
            "space must hold only what changes what run gives, but nothing depends on "
            f"{shown(unused[0])}: a misspelt name in run?"
        )
