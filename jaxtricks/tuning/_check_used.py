"""A check that a run uses every hyper-parameter and returns the result that ranks the trials."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.interpreters.partial_eval import dce_jaxpr
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import shown
from jaxtricks.tuning._trials import columns, groups, program, traced_rows


def check_used(
    run: Callable[..., Any],
    hyper_parameters: PyTree,
    key: Key[Array, ""],
    shared: tuple,
    by: str,
    lengths: Sequence[int | None],
) -> None:
    """Checks a run by tracing its first trials, before anything is computed.

    Its results must depend on each traced hyper-parameter in at least one group and rung.
    Dependence on static hyper-parameters cannot be checked.

    Raises:
        ValueError: no result depends on a traced hyper-parameter, a result has the name of a
            hyper-parameter, or there is no result `by`.
    """
    named = columns(hyper_parameters)
    traced = [name for name, values in named.items() if values.dtype != object]
    unused = set(traced)
    for call, arguments in programs(run, hyper_parameters, key, shared, lengths):
        closed, given = jax.make_jaxpr(call, return_shape=True)(*arguments)
        results = given if lengths[0] is None else given[0]
        if by not in results:
            raise ValueError(f"by must be one of the results {sorted(results)}, got {by!r}.")
        for name in set(results) & set(named):
            raise ValueError(
                f"run must give its results other names than the hyper-parameters, got {name!r}."
            )
        _, used = dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
        unused -= {name for name, is_used in zip(traced, used[1:], strict=False) if is_used}
        if not unused:
            return
    raise ValueError(
        "space must hold only hyper-parameters that change the results of run, but nothing depends "
        f"on {shown(min(unused, key=traced.index))}: look for a misspelt name in run."
    )


def programs(
    run: Callable[..., Any],
    hyper_parameters: PyTree,
    key: Key[Array, ""],
    shared: tuple,
    lengths: Sequence[int | None],
) -> Iterator[tuple[Callable[..., Any], tuple]]:
    """Yields the program of each rung of each group, and the arguments of its first trial."""
    count = len(jax.tree.leaves(hyper_parameters)[0])
    for group in groups(hyper_parameters, list(range(count))).values():
        values = [row[0] for row in traced_rows(hyper_parameters, group[:1])]
        first = program(run, hyper_parameters, group[0], 0, lengths[0])
        yield first, (key, values, *shared)
        for rung in range(1, len(lengths)):
            _, position = jax.eval_shape(first, key, values, *shared)
            call = program(run, hyper_parameters, group[0], rung, lengths[rung])
            yield call, (key, values, position, *shared)
