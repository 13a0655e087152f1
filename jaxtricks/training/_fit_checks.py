"""What can be wrong with the arguments of `fit`, found before anything is compiled."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_choice, check_instance, check_integer
from jaxtricks.control import Machine
from jaxtricks.data import check_examples
from jaxtricks.training._devices import check_divisible
from jaxtricks.training._evaluate import EvalStep
from jaxtricks.training._source import (
    Examples,
    batch_shapes,
    check_source,
    gather,
    size_of,
)
from jaxtricks.training._state import TrainState, variables
from jaxtricks.training._step import TrainStep


def check_settings(
    numbers: Mapping[str, int],
    loop: str | None,
    mode: str,
    sharding: NamedSharding | None,
    files: Mapping[str, bool],
) -> None:
    """Checks numbers, names and kinds.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: one is out of range, or one of `files` is wanted without a folder.
    """
    for name, number in numbers.items():
        check_integer(name, number, low=1)
    if loop is not None:
        check_choice("loop", loop, ("scan", "host"))
    check_choice("mode", mode, ("min", "max"))
    if sharding is not None:
        check_instance("sharding", sharding, NamedSharding)
    for name, wanted in files.items():
        if wanted:
            raise ValueError(f"{name}=True needs a folder.")


def check_examples_of(
    name: str, examples: Examples, batch_size: int, loop: str | None, classes: int | None
) -> None:
    """Checks one split: of a source that is no dict of arrays, its first batch.

    Raises:
        TypeError: it is neither, or a source where one program needs arrays.
        ValueError: it is empty, or its examples are not as they should be.
    """
    check_source(name, examples)
    if not isinstance(examples, Mapping):
        if loop == "scan":
            raise TypeError(f'{name} must be a dict of arrays for loop="scan", got {examples!r}.')
        first = np.arange(min(batch_size, size_of(examples)))
        examples = gather(examples, first, np.ones(len(first), np.float32))
    elif "weight" in examples and not np.any(np.asarray(examples["weight"])):
        raise ValueError(f"{name} must have a weight above 0, got none.")
    try:
        check_examples(examples, classes=classes)
    except (TypeError, ValueError) as error:
        error.add_note(f"This is in `{name}`.")
        raise


def check_batch(
    train: Examples, batch_size: int, sharding: NamedSharding | None
) -> dict[str, jax.ShapeDtypeStruct]:
    """Checks that there is a whole batch and that the devices can share it; gives its shapes.

    Raises:
        ValueError: otherwise.
    """
    if batch_size > size_of(train):
        raise ValueError(
            f"batch_size must not be over the {size_of(train)} examples, got {batch_size}."
        )
    shapes = batch_shapes(train, batch_size)
    if sharding is not None:
        check_divisible(shapes, sharding.num_devices, "devices")
    return shapes


def check_step(
    step: TrainStep,
    state: TrainState,
    batch: dict[str, jax.ShapeDtypeStruct],
    key: Key[Array, ""],
) -> None:
    """Traces the step, which costs no compilation, and checks what comes out.

    Raises:
        TypeError: `state` is no `TrainState`.
        ValueError: the state that comes out differs from the one that went in, or the step reports
            no `"non_finite"`.
    """
    check_instance("state", state, TrainState)
    try:
        after, metrics = jax.eval_shape(step, state, batch, key)
    except Exception as error:
        error.add_note(
            "This came up when the step was traced. Did the state come from init_state with the "
            "same model and rule as the step? Does `rng_streams` of make_train_step name each "
            "stream that the model draws from, and does the model take `train` by keyword? The "
            f"state's opt_state is {jax.tree.structure(state.opt_state)}."
        )
        raise
    different = differences(state, after)
    before, behind = jax.tree.structure(state), jax.tree.structure(after)
    if different or before != behind:
        raise ValueError(
            "step must give a state like the one it takes; "
            f"{different or f'{before} before and {behind} after'}. "
            "Make the state with init_state and the rule of the step."
        )
    if "non_finite" not in metrics:
        raise ValueError("step must report non_finite: make_train_step(..., diagnostics=True).")


def check_measuring(
    eval_step: EvalStep,
    state: TrainState,
    batch: dict[str, jax.ShapeDtypeStruct],
    plateau: Machine | None,
    stopping: Machine,
    monitor: str,
    mode: str,
) -> None:
    """Traces the evaluation and the machines.

    Raises:
        ValueError: there is no metric of that name, or `mode` is not the machine's.
    """
    sums = jax.eval_shape(eval_step, state, batch)
    if monitor not in sums or monitor == "weight":
        names = sorted(set(sums) - {"weight"})
        raise ValueError(f"monitor must be one of the metrics {names}, got {monitor!r}.")
    value, model = jnp.zeros(()), variables(state)
    if plateau is not None:
        jax.eval_shape(plateau.update, value, plateau.init())
    jax.eval_shape(lambda: stopping.update(value, stopping.init(model), model))
    states = {"plateau": plateau.init() if plateau else None, "stopping": stopping.init(model)}
    for name, first in states.items():
        best = getattr(first, "best_value", None)
        if best is not None and (best > 0) != (mode == "min"):
            other = "min" if best > 0 else "max"
            raise ValueError(f"mode must be that of {name}, {other!r}, got {mode!r}.")


def differences(old: PyTree, new: PyTree) -> str:
    """The paths of leaves that are in one tree only or differ in shape or type; none if equal."""
    before, after = described(old), described(new)
    return "; ".join(
        f"{path} is {before.get(path, 'missing')} before and {after.get(path, 'missing')} after"
        for path in sorted({**before, **after})
        if before.get(path) != after.get(path)
    )


def described(tree: PyTree) -> dict[str, str]:
    """Type and shape of each leaf by its path."""
    shapes = jax.eval_shape(lambda tree: tree, tree)
    return {
        jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(shapes)
    }
