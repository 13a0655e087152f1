"""Making a trainer: the train step and the evaluation of a model, as pure functions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, PyTree

from jaxtricks._checks import (
    check_flag,
    check_function,
    check_functions,
    check_instance,
    check_integer,
    shown,
)
from jaxtricks._prefix import Mask
from jaxtricks.averaging import Averager
from jaxtricks.training._loss import (
    Batch,
    Loss,
    Metrics,
    check_loss,
    split_output,
    weighted_sums,
)
from jaxtricks.training._present import present_examples
from jaxtricks.training._split_variables import split_variables
from jaxtricks.training._state import Averaged, TrainState
from jaxtricks.training._state import variables as last_variables
from jaxtricks.training._step import StepSettings, TrainStep, make_step
from jaxtricks.training._trainable import split_params


class Trainer(NamedTuple):
    """The pure functions that train and evaluate a model: `fit`, `run` and `evaluate` call them.

    `trainer` makes one. For another way of training, make a `Trainer` of your own functions.

    Attributes:
        init: `init(variables) -> state`, the state before the first update. `variables` is the
            result of `model.init`, or `{"params": tree}` for any tree of arrays.
        step: `step(state, batch, key) -> (state, metrics)`, one update. Pass the same key to every
            step: `state.step` is folded into it.
        evaluate: `evaluate(variables, batch) -> sums`, the weighted sums of the loss and the
            metrics over the batch, and `"weight"`, the sum of the weights. The sums of several
            batches can be added.
        variables: `variables(state) -> variables` of the model that is validated and kept as the
            best. With an averager, `"params"` is the average unless `evaluate_average` is False.
        predict: `predict(variables, batch) -> outputs` of the model in evaluation; None if the loss
            has no `predict`. The loss that `classification_loss` makes has one.
        axis_name: the name of the mapped axis that `step` sums over, for `pmap_step`; else None.
    """

    init: Callable[[Mapping[str, PyTree]], TrainState]
    step: TrainStep
    evaluate: Callable[[Mapping[str, PyTree], Batch], Metrics]
    variables: Callable[[TrainState], dict[str, PyTree]]
    predict: Callable[[Mapping[str, PyTree], Batch], Any] | None = None
    axis_name: str | None = None


def trainer(
    loss: Loss,
    tx: optax.GradientTransformation,
    *,
    averager: Averager | None = None,
    evaluate_average: bool = True,
    penalty: Callable[[PyTree], Float[Array, ""]] | None = None,
    accumulate: int = 1,
    augment: Callable[[Key[Array, ""], Batch], Batch] | None = None,
    rng_streams: Sequence[str] = ("dropout",),
    diagnostics: bool = True,
    axis_name: str | None = None,
    trainable: Mask = None,
) -> Trainer:
    r"""Makes a trainer from a loss function and a gradient transformation.

    The gradient is that of $\sum_i w_i \ell_i / \sum_i w_i + R(\theta)$. The sums are over the
    whole batch, even if it is divided among devices, so the means over padded batches are exact.
    The weights are `batch["weight"]`, or 1 without that entry. An example of weight 0 is ignored,
    whatever it holds, even NaN: the model sees a copy of the first example of nonzero weight in its
    place, and its loss and metrics do not count. In step t, the random stream `rng_streams[s]`
    draws from `fold_in(fold_in(fold_in(key, t), p), s)` for part p of the batch (see `accumulate`).

    The metrics of a step are weighted means over the batch: `"loss"` (without the penalty) and the
    metrics of `loss`. The step adds:

    - `"penalty"`, if there is one;
    - `"learning_rate"`, if the state of `tx` stores it, as the optimizers of this library and
      `optax.inject_hyperparams` do; it is multiplied by `state.learning_rate_scale`;
    - `"weight"`, the sum of the weights;
    - `"gradient_norm"`, the Euclidean norm of the gradient;
    - `"non_finite"`, the number of NaN and infinite entries in the loss, the weight, the penalty,
      the gradient and the new parameters, plus the number of entries in the states of the model,
      `tx` and the averager that became NaN or infinite in this step. In arrays of more than 1,024
      entries in the states of `tx` and the averager, old NaN and infinities count too.

    The last two leave out the parameters that are not trained.

    JAX keeps the compiled programs of a trainer as long as the process lives: 10 to 20 MB for each
    trainer that `fit` has run. If you make trainers in a loop, call `jax.clear_caches()` now and
    then, or make one trainer and change only the state, its hyper-parameters and the key.

    Args:
        loss: a function that returns one loss per example, see `Loss`.
        tx: the complete gradient transformation, including the learning rate. Put clipping in front
            with `optax.chain`; if `optimizers.freeze` is used, it goes around that chain. `update`
            of `tx` receives the mean loss of the batch as `value`, and the `extra_args` of the
            loss, as keyword arguments.
        averager: averages the parameters after every step, such as
            `averaging.exponential_average(0.999)`; the average is `state.average.output`.
            Batch-norm statistics are not averaged: the state holds those of the last parameters,
            and `averaging.recalibrate_batch_norm` computes those of the average.
        evaluate_average: whether the average, if there is an averager, is the model that is
            validated and kept as the best. Set False for `averaging.snapshots`, which has no
            average.
        penalty: $R$, a function from the parameters to one number, which is added to the loss once,
            whatever the number of devices or parts.
        accumulate: the number of equal parts in which the batch goes through the model, one after
            another, to save memory; there is still one update per batch. Part k of n has the
            examples k, k + n, k + 2n and so on, so each device computes a share of each part if the
            number of its examples is divisible by n. Batch-norm statistics are computed for each
            part, and each part draws its own dropout masks.
        augment: `(key, batch) -> batch`, applied to each training batch on the device, with a new
            key for each step, and never in evaluation. It receives the batch after the
            preprocessing of `classification_loss`: images are floating, and `"weight"` is present.
        rng_streams: the names of the random streams that the model draws from; `"params"` is
            refused.
        diagnostics: whether to report `"gradient_norm"` and `"non_finite"`, which `fit` needs.
            Without them, small models train faster in `train_population`, but only the losses then
            show NaN.
        axis_name: the name of the mapped axis under `pmap_step`; else None.
        trainable: which parameters are trained, like `requires_grad` in PyTorch: a tree of bools, a
            prefix of it (one bool for a whole layer), or a function from the parameters to such
            a tree; None trains all. The others get no gradient, so clipping, norms, weight decay
            and the state of `tx` leave them out. `optimizers.freeze` keeps parameters fixed too,
            but their gradient is still computed, and there True means frozen. The running
            statistics of batch norm are not parameters and are updated in both cases.

    Raises:
        TypeError: `tx` is not a gradient transformation, `averager` is not an averager, a function
            cannot be called, a flag is not a bool, `accumulate` is not an integer, or `rng_streams`
            is not a sequence of strings; in `init`, a parameter is not real and floating.
        ValueError: `accumulate` is below 1, or a stream is named `"params"`; in `init`, there are
            no `"params"`, or there is no average to evaluate; in `step` and `evaluate`, the batch
            cannot be divided by `accumulate`, the state comes from a trainer with another averager,
            `loss` does not return one number per example, or a metric has a name that the step
            uses.

    Example:
        >>> from jaxtricks.optimizers import gradient_descent
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2 / 2, (model_state, {})
        >>> ours = trainer(loss, gradient_descent(1.0))
        >>> batch = {"x": jnp.array([1.0, 3.0, 9.0]), "weight": jnp.array([1.0, 1.0, 0.0])}
        >>> state = ours.init({"params": jnp.zeros(())})
        >>> state, metrics = ours.step(state, batch, jax.random.key(0))
        >>> float(state.params), float(metrics["loss"]), float(metrics["learning_rate"])
        (2.0, 2.5, 1.0)
        >>> sums = ours.evaluate(ours.variables(state), batch)
        >>> float(sums["loss"]), float(sums["weight"])
        (1.0, 2.0)
    """
    check_flag("diagnostics", diagnostics)
    check_flag("evaluate_average", evaluate_average)
    if isinstance(tx, optax.MultiSteps):
        raise TypeError(
            "tx must be a GradientTransformation, got a MultiSteps: pass the result of its "
            "gradient_transformation()."
        )
    check_instance("tx", tx, optax.GradientTransformation)
    check_integer("accumulate", accumulate, low=1)
    check_loss(loss)
    for name, function in (("penalty", penalty), ("augment", augment)):
        if function is not None:
            check_function(name, function)
    if averager is not None:
        check_functions("averager", averager, Averager)
    names = isinstance(rng_streams, Sequence) and not isinstance(rng_streams, str)
    if not names or not all(isinstance(name, str) for name in rng_streams):
        raise TypeError(f"rng_streams must be a sequence of names, got {shown(rng_streams)}.")
    if axis_name is not None:
        check_instance("axis_name", axis_name, str)
    if "params" in rng_streams:
        raise ValueError(
            'rng_streams must not hold "params", from which Flax draws wherever another stream is '
            f"missing, got {shown(rng_streams)}."
        )
    step = make_step(
        StepSettings(
            loss,
            tx,
            averager,
            penalty,
            accumulate,
            augment,
            tuple(rng_streams),
            diagnostics,
            axis_name,
            trainable,
        )
    )

    def init(variables: Mapping[str, PyTree]) -> TrainState:
        params, model_state = split_variables(variables)
        average = None if averager is None else first_average(averager, params, evaluate_average)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            model_state=model_state,
            opt_state=tx.init(split_params(trainable, params)[0]),
            learning_rate_scale=jnp.ones((), jnp.float32),
            average=average,
        )

    def evaluate(variables: Mapping[str, PyTree], batch: Batch) -> Metrics:
        params, model_state = split_variables(variables)
        batch = present_examples(batch)
        given = loss(params, model_state, batch, {}, train=False)
        losses, _, metrics, _ = split_output(given)
        sums = weighted_sums(losses, metrics, batch["weight"])
        return {**sums, "weight": jnp.sum(batch["weight"])}

    def variables(state: TrainState) -> dict[str, PyTree]:
        if averager is None or not evaluate_average:
            return last_variables(state)
        return {**last_variables(state), "params": state.average.output}

    predict = getattr(loss, "predict", None)
    return Trainer(jax.jit(init), step, evaluate, variables, predict, axis_name)


def first_average(averager: Averager, params: PyTree, evaluate_average: bool) -> Averaged:
    """Returns the average before the first update.

    Raises:
        ValueError: the average is to be evaluated, but is not a tree like the parameters.
    """
    state = averager.init(params)
    output = averager.update(params, state)[0]
    if evaluate_average and jax.tree.structure(output) != jax.tree.structure(params):
        raise ValueError(
            "averager must return a tree like the parameters for evaluate_average=True, "
            f"got a {type(output).__name__}: set evaluate_average=False."
        )
    return Averaged(output, state)
