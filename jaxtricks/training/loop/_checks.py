"""What can be wrong with the arguments of `fit`, found before anything is compiled."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_choice, check_flag, check_instance, check_integer
from jaxtricks._tree_checks import shown_structure
from jaxtricks.control import ControlRule
from jaxtricks.data import Examples, check_examples, count_examples, take_batch
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._sharding import check_divisible

Shapes = dict[str, jax.ShapeDtypeStruct]


def check_settings(
    flags: Mapping[str, bool],
    numbers: Mapping[str, int],
    loop: str | None,
    sharding: NamedSharding | None,
    files: Mapping[str, Any],
) -> None:
    """Checks flags, numbers and names.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: one is out of range, or one of `files` is wanted without a folder.
    """
    for name, flag in flags.items():
        check_flag(name, flag)
    for name, number in numbers.items():
        check_integer(name, number, low=1)
    if loop is not None:
        check_choice("loop", loop, ("scan", "host"))
    if sharding is not None:
        check_instance("sharding", sharding, NamedSharding)
    for name, wanted in files.items():
        if wanted:
            raise ValueError(f"{name}={wanted!r} needs a folder.")


def check_split(
    name: str, examples: Examples, batch_size: int, loop: str | None, classes: int | None
) -> None:
    """Checks one split: of a source that is not a dict of arrays, its first batch.

    Raises:
        TypeError: it is neither, or a source where one program needs arrays.
        ValueError: it is empty, or its examples are not as they should be.
    """
    size = count_examples(examples, name=name)
    if not isinstance(examples, Mapping):
        if loop == "scan":
            raise TypeError(f'{name} must be a dict of arrays for loop="scan", got {examples!r}.')
        first = np.arange(min(batch_size, size))
        examples = take_batch(examples, first, np.ones(len(first), np.float32))
    elif "weight" in examples and not np.any(np.asarray(examples["weight"])):
        raise ValueError(f"{name} must have a weight above 0, got none.")
    try:
        check_examples(examples, classes=classes)
    except (TypeError, ValueError) as error:
        error.add_note(f"This is in `{name}`.")
        raise


def check_batch(train: Examples, batch_size: int, sharding: NamedSharding | None) -> Shapes:
    """Checks that there is a whole batch and that the devices can share it; gives its shapes.

    Raises:
        ValueError: otherwise.
    """
    size = count_examples(train)
    if batch_size > size:
        raise ValueError(f"batch_size must not be over the {size} examples, got {batch_size}.")
    shapes = batch_shapes(train, batch_size)
    if sharding is not None:
        check_divisible(shapes, sharding.num_devices)
    return shapes


def batch_shapes(examples: Examples, batch_size: int) -> Shapes:
    """What a batch looks like to a step."""
    one = take_batch(examples, np.zeros(1, int), np.ones(1, np.float32))
    return {
        name: jax.ShapeDtypeStruct(
            (batch_size, *values.shape[1:]), jax.dtypes.canonicalize_dtype(values.dtype)
        )
        for name, values in one.items()
    }


def trace_step(step: TrainStep, state: TrainState, batch: Shapes, key: Key[Array, ""]) -> Any:
    """Traces the step, which compiles nothing, checks what comes out and gives the program.

    Raises:
        TypeError: `state` is not a `TrainState`.
        ValueError: the state that comes out differs from the one that went in, or the step reports
            no `"non_finite"`.
    """
    try:
        program, (after, metrics) = jax.make_jaxpr(step, return_shape=True)(state, batch, key)
    except Exception as error:
        error.add_note(
            "This came up when the step was traced. Did the state come from this trainer's init? "
            "Does `rng_streams` of the trainer name each stream that the model draws from, and "
            "does the model take `train` by keyword?"
        )
        raise
    different = differences(state, after)
    if different or jax.tree.structure(state) != jax.tree.structure(after):
        raise ValueError(
            "step must give a state like the one it takes; "
            f"{different or f'{shown_structure(state)} before, {shown_structure(after)} after'}. "
            "Make the state with the init of this trainer."
        )
    if "non_finite" not in metrics:
        raise ValueError("step must report non_finite: trainer(..., diagnostics=True).")
    return program


def check_monitor(trainer: Trainer, state: TrainState, batch: Shapes, monitor: str) -> None:
    """Traces the evaluation.

    Raises:
        ValueError: there is no metric of that name.
    """
    sums = jax.eval_shape(trainer.evaluate, jax.eval_shape(trainer.variables, state), batch)
    if monitor not in sums or monitor == "weight":
        names = sorted(set(sums) - {"weight"})
        raise ValueError(f"monitor must be one of the metrics {names}, got {monitor!r}.")


def differences(old: PyTree, new: PyTree) -> str:
    """The paths of leaves that are in one tree only or differ in shape or type; "" if equal."""
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


def check_default_mode(stopping: ControlRule, monitor: str) -> None:
    """Checks that the rule taken for want of another fits the metric.

    Raises:
        TypeError: `monitor` is not a name.
        ValueError: the metric is one to be large.
    """
    check_instance("monitor", monitor, str)
    if stopping.mode == "min" and monitor.endswith("accuracy"):
        raise ValueError(
            f"monitor={monitor!r} needs a rule that wants it large, such as "
            'stopping=control.keep_best(mode="max").'
        )
