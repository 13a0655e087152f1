"""Checks of the arguments of `fit`, which run before anything is compiled."""

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

    Args:
        flags: arguments that must be bools.
        numbers: arguments that must be integers of at least 1.
        loop: the argument `loop`.
        sharding: the argument `sharding`.
        files: arguments that need a folder; pass them only if there is no folder.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or one of `files` is set.
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
            raise ValueError(f"folder must be given for {name}={wanted!r}, got None.")


def check_split(
    name: str, examples: Examples, batch_size: int, loop: str | None, classes: int | None
) -> None:
    """Checks the training or validation examples; of a data source, its first batch.

    Raises:
        TypeError: `examples` is neither a dict of arrays nor a data source, or it is a data source
            and `loop` is `"scan"`.
        ValueError: there are no examples, or they do not have the form that training needs.
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
    """Checks that there is a whole batch that the devices can share, and returns its shapes.

    Raises:
        ValueError: there are fewer examples than `batch_size`, or a batch cannot be divided
            equally.
    """
    size = count_examples(train)
    if batch_size > size:
        raise ValueError(f"batch_size must be at most the {size} examples, got {batch_size}.")
    shapes = batch_shapes(train, batch_size)
    if sharding is not None:
        check_divisible(shapes, sharding.num_devices)
    return shapes


def batch_shapes(examples: Examples, batch_size: int) -> Shapes:
    """Returns the shapes and dtypes of a batch as a step receives it."""
    one = take_batch(examples, np.zeros(1, int), np.ones(1, np.float32))
    return {
        name: jax.ShapeDtypeStruct(
            (batch_size, *values.shape[1:]), jax.dtypes.canonicalize_dtype(values.dtype)
        )
        for name, values in one.items()
    }


def trace_step(step: TrainStep, state: TrainState, batch: Shapes, key: Key[Array, ""]) -> Any:
    """Traces the step without compiling it, checks its results and returns the program.

    Raises:
        TypeError: `state` is not a `TrainState`.
        ValueError: the new state differs from the old one in structure, shapes or dtypes, or the
            step does not report `"non_finite"`.
    """
    try:
        program, (after, metrics) = jax.make_jaxpr(step, return_shape=True)(state, batch, key)
    except Exception as error:
        error.add_note(
            "This error came up while the step was traced. Did this trainer's init make the state? "
            "Does `rng_streams` of the trainer name each random stream that the model draws from? "
            "Does the model take `train` by keyword?"
        )
        raise
    different = differences(state, after)
    if different or jax.tree.structure(state) != jax.tree.structure(after):
        raise ValueError(
            "step must return a state like the one it takes; "
            f"{different or f'{shown_structure(state)} before, {shown_structure(after)} after'}. "
            "Make the state with the init of this trainer."
        )
    if "non_finite" not in metrics:
        raise ValueError(
            "step must report the metric 'non_finite', which trainer(..., diagnostics=True) adds, "
            f"got {sorted(metrics)}."
        )
    return program


def check_monitor(trainer: Trainer, state: TrainState, batch: Shapes, monitor: str) -> None:
    """Traces the evaluation and checks that it returns the metric `monitor`.

    Raises:
        ValueError: there is no metric of that name.
    """
    sums = jax.eval_shape(trainer.evaluate, jax.eval_shape(trainer.variables, state), batch)
    if monitor not in sums or monitor == "weight":
        names = sorted(set(sums) - {"weight"})
        raise ValueError(f"monitor must be one of the metrics {names}, got {monitor!r}.")


def differences(old: PyTree, new: PyTree) -> str:
    """Describes the leaves that are in one tree only or differ in shape or dtype; "" if none."""
    before, after = described(old), described(new)
    return "; ".join(
        f"{path} is {before.get(path, 'missing')} before and {after.get(path, 'missing')} after"
        for path in sorted({**before, **after})
        if before.get(path) != after.get(path)
    )


def described(tree: PyTree) -> dict[str, str]:
    """Returns the dtype and shape of each leaf by its path."""
    shapes = jax.eval_shape(lambda tree: tree, tree)
    return {
        jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(shapes)
    }


def check_default_mode(stopping: ControlRule, monitor: str) -> None:
    """Checks that the default stopping rule suits the monitored metric.

    Raises:
        TypeError: `monitor` is not a string.
        ValueError: the rule wants a small metric, and the metric is an accuracy.
    """
    check_instance("monitor", monitor, str)
    if stopping.mode == "min" and monitor.endswith("accuracy"):
        raise ValueError(
            "stopping must be a rule with mode='max', such as control.keep_best(mode='max'), for "
            f"monitor={monitor!r}, got None, which means mode='min'."
        )
