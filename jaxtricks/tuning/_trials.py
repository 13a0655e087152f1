"""The trials of a search: columns of hyper-parameters, in groups that share a program."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_function, check_integer, is_real, is_real_number, shown
from jaxtricks.tuning._distribution import Interval, Options, objects
from jaxtricks.tuning._sample import sample
from jaxtricks.tuning._space import RESERVED, leaves, name_of

TRACED = object()  # marks a traced hyper-parameter in a list of static values


def check_takes(run: Callable[..., Any], count: int) -> None:
    """Checks that `run` is a function that can be called with `count` arguments.

    Raises:
        TypeError: it is not.
    """
    check_function("run", run)
    try:
        signature = inspect.signature(run, follow_wrapped=False)
    except (ValueError, TypeError):  # some built-in functions have no signature
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        raise TypeError(
            "run must take a key, the hyper-parameters, then (with rungs or epochs) a position and "
            f"a number of epochs, then the arguments in shared, {count} arguments here: {error}, "
            f"got run{signature}."
        ) from None


def drawn(key: Key[Array, ""], space: PyTree, trials: int | PyTree) -> PyTree:
    """Gives the hyper-parameters of all trials: draws them if `trials` is a number, else checks it.

    Raises:
        TypeError: a leaf is not an array.
        ValueError: the given hyper-parameters do not fit the space, or differ in length.
    """
    named = leaves(space)
    if isinstance(trials, int | np.integer) or not jax.tree.leaves(trials):
        check_integer("trials", trials, low=1)
        return sample(key, space, int(trials))
    given = columns(trials)
    if set(given) != set(named):
        raise ValueError(f"trials must have the leaves {sorted(named)}, got {sorted(given)}.")
    for name, leaf in named.items():
        numbers = isinstance(leaf, Interval) or not leaf.static
        if numbers and not is_real(given[name].dtype):
            raise TypeError(f"trials must hold numbers as {name!r}, got {shown(given[name])}.")
        if isinstance(leaf, Options) and leaf.static:
            given[name] = objects(given[name])
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"trials must be arrays of one length, got {lengths}.")
    check_rows_fit(given)
    for name, leaf in named.items():
        if not leaf.holds(given[name]):
            raise ValueError(
                f"trials must lie in the space, got {shown(given[name])} as {name!r} for {leaf}."
            )
    return jax.tree.unflatten(jax.tree.structure(space), [given[name] for name in named])


def columns(trials: PyTree) -> dict[str, np.ndarray]:
    """Collects the arrays of hyper-parameters by name.

    Raises:
        TypeError: a leaf is not an array with one axis.
    """
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(trials):
        array = isinstance(leaf, np.ndarray | jax.Array) and leaf.ndim == 1
        if not array or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise TypeError(
                "trials must be an integer, or a tree of arrays with one value for each trial, such"
                f" as from sample, grid or sobol, got {shown(leaf)} as {name_of(path)!r}."
            )
        values = np.asarray(leaf)
        found[name_of(path)] = values.astype(values.dtype.newbyteorder("="), copy=False)
    return found


def groups(hyper_parameters: PyTree, trials: list[int]) -> dict[tuple[int, ...], list[int]]:
    """Groups the trials with equal static hyper-parameters; the group of the first trial is first.

    The key of a group holds, for each static hyper-parameter, the index of its value in the list of
    different values.
    """
    places = []
    for values in jax.tree.leaves(hyper_parameters):
        if values.dtype == object:
            kinds = [(repr(value), value) for value in values]  # repr distinguishes 1, 1.0 and True
            different: list[Any] = []
            for kind in kinds:
                if kind not in different:
                    different.append(kind)
            places.append([different.index(kind) for kind in kinds])
    found: dict[tuple[int, ...], list[int]] = {}
    for trial in trials:
        found.setdefault(tuple(place[trial] for place in places), []).append(trial)
    return found


def program(
    run: Callable[..., Any], hyper_parameters: PyTree, trial: int, rung: int, epochs: int | None
) -> Callable[..., Any]:
    """Makes a function of the traced hyper-parameters, with the static ones of a trial filled in.

    It returns the same function for the same values, so that nothing is compiled twice.
    """
    flat, structure = jax.tree.flatten(hyper_parameters)
    values = [leaf[trial] if leaf.dtype == object else TRACED for leaf in flat]
    static = tuple((repr(value), value) for value in values)  # 1 == 1.0, but each has its program
    try:
        return cached_program(run, structure, static, rung == 0, epochs)
    except TypeError:  # a value cannot be hashed
        return cached_program.__wrapped__(run, structure, static, rung == 0, epochs)


@functools.lru_cache(maxsize=32)
def cached_program(
    run: Callable[..., Any], structure: Any, static: tuple, first: bool, epochs: int | None
) -> Callable[..., Any]:
    """Makes `program` from the structure of a tree and its static leaves, each with its repr."""

    def run_traced(key: Key[Array, ""], traced: list[Array], *shared: Any) -> Any:
        rest = iter(traced)
        values = [next(rest) if value is TRACED else value for _, value in static]
        hyper_parameters = jax.tree.unflatten(structure, values)
        position = () if epochs is None else (None, epochs) if first else (shared[0], epochs)
        rest_of_shared = shared if epochs is None or first else shared[1:]
        with advice_on_shapes():
            given = run(key, hyper_parameters, *position, *rest_of_shared)
        if epochs is None:
            return results(given)
        if not isinstance(given, tuple) or len(given) != 2:
            raise TypeError(
                f"run must return (results, position) in a search with rungs, got {shown(given)}."
            )
        if given[1] is None:
            raise TypeError("run must return a position from which it can continue, got None.")
        return results(given[0]), given[1]

    return run_traced


@contextlib.contextmanager
def advice_on_shapes() -> Iterator[None]:
    """Adds advice to JAX's error about a traced number that would have to be static."""
    try:
        yield
    except TypeError as error:
        if isinstance(error, jax.errors.ConcretizationTypeError) or "concrete" in str(error):
            error.add_note(
                "Numbers in a search space are traced. Use choice(..., static=True) for those that "
                "determine the shape of an array, or that Python code branches on."
            )
        raise


def traced_rows(hyper_parameters: PyTree, trials: list[int]) -> list[np.ndarray]:
    """Selects the traced hyper-parameters of some trials."""
    return [leaf[trials] for leaf in jax.tree.leaves(hyper_parameters) if leaf.dtype != object]


def results(given: Any) -> dict[str, Any]:
    """Converts the results of a run to a dict of arrays; a single number is the loss.

    Raises:
        TypeError: the results are neither a number nor a dict of numbers and vectors.
        ValueError: a result has a reserved name.
    """
    found = given if isinstance(given, Mapping) else {"loss": given}
    for name, value in found.items():
        if name in RESERVED:
            raise ValueError(
                f"run must give its results other names than {RESERVED}, got {name!r}."
            )
        number = is_real_number(value) or getattr(value, "dtype", None) == np.dtype(bool)
        if not isinstance(name, str) or not number or np.ndim(value) > 1 or not np.size(value):
            raise TypeError(
                "run must return a number, the loss, or a dict of numbers and of curves with one "
                f"axis, got {shown(name)}: {shown(value)}."
            )
    return {name: jnp.asarray(value) for name, value in found.items()}
