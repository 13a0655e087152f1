"""A whole training run as one pure function: epochs, validation, plateau and early stopping."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key, PyTree

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_choice, check_functions, check_instance, check_integer
from jaxtricks._own_state import check_own_state
from jaxtricks.control import ControlRule
from jaxtricks.data import count_examples
from jaxtricks.training._control import (
    Control,
    Position,
    begin,
    check_control,
    check_first_scale,
    first_scale,
    observe,
    was_stopped,
)
from jaxtricks.training._epoch import numbered_epoch
from jaxtricks.training._evaluate import evaluate
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState, check_state
from jaxtricks.training._trainer import Trainer


class Run(NamedTuple):
    """The result of `run`: the last state, the metrics of each epoch and the best variables.

    Attributes:
        position: the state of training, the states of the control rules and the number of finished
            epochs. A later call of `run` can continue from it.
        train: for each metric its means over the training batches, float32 `[epochs]`, see
            `mean_over_steps`.
        validation: for each metric its value on the validation examples after each epoch, float32
            `[epochs]`.
        state: the state after the last epoch that was trained.
        epochs: the number of epochs trained in total, including those before `start`.
        best_variables: the variables with the best validation metric; None without a stopping rule
            that keeps them. If no epoch has become the best yet, they are those at the start.
    """

    position: Position
    train: Metrics
    validation: Metrics

    @property
    def state(self) -> TrainState:
        """The state after the last epoch that was trained."""
        return self.position.state

    @property
    def epochs(self) -> Int32[Array, ""]:
        """The number of epochs trained in total, including those before `start`."""
        return self.position.epoch

    @property
    def best_variables(self) -> PyTree:
        """The variables with the best validation metric; None if no stopping rule keeps them."""
        return getattr(self.position.stopping, "best_variables", None)


def run(
    trainer: Trainer,
    start: TrainState | Position,
    train: Batch,
    validation: Batch,
    *,
    key: Key[Array, ""],
    epochs: int,
    batch_size: int,
    plateau: ControlRule | None = None,
    stopping: ControlRule | None = None,
    monitor: str = "loss",
    after_stop: Literal["nan", "last"] = "nan",
) -> Run:
    """Trains for some epochs, with validation after each, as one pure function.

    It can be called under `jit`, `vmap` and `lax.map`. With `order_key, step_key = split(key)`, the
    order of epoch e, counted from 0, is `epoch_order(fold_in(order_key, e))`, and the step at
    `state.step == t` draws from `fold_in(step_key, t)`. `fit` does the same and gives the same
    numbers. Where `fit` raises `NonFiniteError`, `run` continues: after a step that gives NaN or an
    infinity the state is frozen for the rest of that epoch, as in `train_epoch`. A run that was
    stopped skips its remaining epochs; under `vmap` its state is frozen while the other runs
    continue.

    Args:
        trainer: from `trainer`.
        start: the state before the first epoch, from `trainer.init`, or the `position` of an
            earlier run with the same arguments and key, which is continued.
        train: the training examples: a dict of arrays whose first axis is the example.
        validation: the validation examples, in the same form.
        key: the random key of the whole run.
        epochs: the number of epochs to train in this call, at least 1; a stopping rule may end the
            run earlier. Epochs before `start` do not count.
        batch_size: the number of examples per batch, in training and validation: at least 1 and at
            most the number of training examples. The last batch of an epoch is padded with examples
            of weight 0.
        plateau: a control rule that returns the factor by which updates are multiplied, such as
            `control.plateau()`.
        stopping: a control rule that returns whether to stop, such as `control.early_stopping(5)`;
            its state keeps the best model. With None no best model is kept.
        monitor: the name of the validation metric that both rules observe. It is compared in
            float32, where a relative change below 6e-8 counts as none.
        after_stop: what the arrays in `train` and `validation` of the result hold for the epochs
            after a stop: NaN (`"nan"`) or the last value (`"last"`). If the run had stopped before
            this call, they hold NaN in both cases.

    Raises:
        ValueError: `epochs` or `batch_size` is out of range, arrays differ in length, a number does
            not fit into the dtype to which JAX converts it, there is no metric `monitor`, the mode
            of a rule does not suit the metric, or `plateau` does not start with the factor 1.
        TypeError: an argument has the wrong type.

    Example:
        >>> import optax
        >>> from jaxtricks import control, training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours = training.trainer(loss, optax.sgd(0.25))
        >>> some, others = {"x": jnp.ones(4)}, {"x": jnp.zeros(2)}
        >>> start = ours.init({"params": jnp.zeros(())})
        >>> rule = control.early_stopping(patience=1)
        >>> options = {"key": jax.random.key(0), "epochs": 9, "batch_size": 4, "stopping": rule}
        >>> result = run(ours, start, some, others, **options)
        >>> int(result.epochs), float(result.best_variables["params"])
        (3, 0.5)
    """
    control = Control(plateau, stopping, monitor)
    check_state("start", start, Position)
    check_run(trainer, control, train, validation, epochs, batch_size, after_stop)
    position = start if isinstance(start, Position) else begin(trainer, control, start)
    check_own_state("start", trainer, position.state)

    def advance(position: Position) -> tuple[Position, Array, Any]:
        state, means = numbered_epoch(
            trainer, position.state, train, position.epoch, key, batch_size
        )
        measured = evaluate(trainer, trainer.variables(state), validation, batch_size)
        if monitor not in measured:
            raise ValueError(
                f"monitor must be one of the metrics {sorted(measured)}, got {monitor!r}."
            )
        position = position._replace(state=state)
        position, stop = observe(trainer, control, position, measured[monitor])
        return position, stop, jax.tree.map(as_float32, (means, measured))

    def body(carry: tuple, _: None) -> tuple[tuple, Any]:
        position, stopped, last = carry
        if stopping is None:
            position, stopped, last = advance(position)
            return (position, stopped, last), last

        def skip(position: Position) -> tuple[Position, Array, Any]:
            return position, stopped, last

        ended = stopped
        position, stopped, last = jax.lax.cond(ended, skip, advance, position)
        none = ended if after_stop == "nan" else had_stopped
        shown = jax.tree.map(lambda x: jnp.where(none, jnp.nan, x), last)
        return (position, stopped, last), shown

    shapes = jax.eval_shape(advance, position)[2]
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    had_stopped = was_stopped(trainer, control, position)
    carry = (position, had_stopped, nothing)
    (position, _, _), (means, measured) = jax.lax.scan(body, carry, length=epochs)
    return Run(position, means, measured)


def as_float32(x: Array) -> Array:
    """Converts an entry of a curve to float32, because integers have no NaN."""
    return x.astype(jnp.float32)


def check_run(
    trainer: Trainer,
    control: Control,
    train: Batch,
    validation: Batch,
    epochs: int,
    batch_size: int,
    after_stop: str,
) -> None:
    """Checks the arguments of `run`.

    Raises:
        ValueError: see `run`.
        TypeError: an argument has the wrong type.
    """
    check_functions("trainer", trainer, Trainer)
    check_integer("epochs", epochs, low=1)
    check_integer("batch_size", batch_size, low=1)
    check_choice("after_stop", after_stop, ("nan", "last"))
    check_control(control)
    with jax.ensure_compile_time_eval():  # `run` may be traced
        check_first_scale(first_scale(control))
    for name, examples in (("train", train), ("validation", validation)):
        check_instance(name, examples, Mapping)
        count_examples(examples, name=name)
        check_rows_fit(examples)
    size = count_examples(train)
    if batch_size > size:
        raise ValueError(f"batch_size must be at most the {size} examples, got {batch_size}.")
