"""What trains a model: four pure functions that share one loss, one rule and one averager."""

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
    """What `fit`, `run`, `evaluate` or your own loop calls. All functions are pure.

    `trainer` makes one; a training that differs more is a `Trainer` of your own functions.

    Attributes:
        init: `init(variables) -> state`, the state before the first update. `variables` are what
            `model.init` gives, or `{"params": tree}` for any tree of arrays.
        step: `step(state, batch, key) -> (state, metrics)`, one update. Pass the same key to every
            step: the state's counter is folded in.
        evaluate: `evaluate(variables, batch) -> sums`: weighted sums of the loss and the metrics
            over the batch, and `"weight"`, the sum of the weights. Sums of batches add up.
        variables: `variables(state) -> variables`, the model that is validated and kept as the
            best: with the average of the parameters, if there is an averager.
        predict: `predict(variables, batch) -> outputs` of the model in evaluation, if the loss
            knows its model, as `classification_loss` does; else None.
        axis_name: of the mapped axis that `step` sums over, for `pmap_step`; else None.
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
    r"""Makes the trainer of a loss and an update rule.

    The gradient is that of $\sum_i w_i \ell_i / \sum_i w_i + R(\theta)$ with the sums over the
    whole batch, on however many devices it lies, so ragged and padded batches are exact; the
    weights are `batch["weight"]`, 1 where there are none. An example of weight 0 is absent,
    whatever it holds, NaN included: the model sees the first of the others in its place, and its
    loss and metrics are not looked at. Step t of stream s draws from
    `fold_in(fold_in(fold_in(key, t), part), s)`.

    The metrics of a step are means over the batch with its weights: `"loss"` (without the
    penalty) and those of `loss`. Besides these there are `"penalty"`, if there is one;
    `"learning_rate"`, that of the rule's state times the state's scale, if the rule keeps it, as
    ours and `optax.inject_hyperparams` do; `"weight"`, the sum of the weights; `"gradient_norm"`;
    and `"non_finite"`, how many entries of the loss, the penalty, the gradient and the new
    parameters are NaN or infinite, and how many of the model's state, the rule's and the averager's
    became so in this step. Parameters that are not trained are in neither of the last two. The
    rule's and the averager's arrays of more than 1,024 entries must be finite from the start: an
    infinity in them counts in every step.

    Programs are compiled for a trainer, and JAX keeps them, 10 to 20 MB for each trainer that `fit`
    has run, as long as the process lives. Who makes trainers in a loop calls `jax.clear_caches()`
    now and then, or makes one and changes what is data: the state, its hyper-parameters, the key.

    Args:
        loss: gives one loss per example, see `Loss`.
        tx: the whole rule; compose clipping in front of it (`optax.clip_by_global_norm`), and
            inside of `optimizers.freeze` if that is used. It is given the batch's mean loss as
            `value`, and the loss's `extra_args`.
        averager: sees the parameters after every update, such as
            `averaging.exponential_average(0.999)`; its average is `state.average.output`. Batch
            statistics are not averaged: those in the state belong to the last parameters, and
            `averaging.recalibrate_batch_norm` makes those of the average.
        evaluate_average: whether the model that is validated and kept as the best is the average,
            if there is an averager. `averaging.snapshots` has no average: False.
        penalty: $R$, added once whatever the number of devices or parts.
        accumulate: in how many parts the batch goes through the model, one after another, for
            the memory of one part. Part k of n has the examples k, k + n, k + 2n ..., so that each
            device computes its share of each part, if its examples can be divided by n. Batch
            statistics are those of each part, and each part draws its own masks.
        augment: `(key, batch) -> batch`, applied to each training batch on the device, with a key
            of its own for each step, and never in evaluation. It sees the batch after the
            preprocessing of `classification_loss`, so images are floating, and `"weight"` is there.
        rng_streams: names of the streams that the model draws from; never `"params"`.
        diagnostics: whether to report `"gradient_norm"` and `"non_finite"`. Small models in large
            populations are faster without; NaN then shows in the losses only. `fit` needs them.
        axis_name: of the mapped axis under `pmap_step`; else None.
        trainable: which parameters are trained, as PyTorch's `requires_grad` says it: a tree of
            bools (or a prefix: one bool for a whole layer), or a function from the parameters to
            one; None is all. The others have no gradient: clipping, norms, decay and the rule's
            state know nothing of them. `optimizers.freeze` does the same to the rule alone; here
            the gradient is not computed either. True is trained here, and frozen there. Batch
            norm's running statistics are no parameters, and go on in both.

    Raises:
        TypeError: `tx` is not a gradient transformation, `averager` not an averager, a function
            cannot be called, a flag is not a bool, `accumulate` is not an integer, or
            `rng_streams` is one string; in `init`, a parameter is not real and floating.
        ValueError: `accumulate` is under 1, or a stream is called `"params"`; in `init`, there are
            no `"params"`, or there is no average to evaluate; in `step` and `evaluate`, the batch
            cannot be divided by `accumulate`, the state was made without this trainer's averager,
            or `loss` gives something else than one number per example, or a metric by a name that
            the step uses.

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
        raise TypeError("tx must be a GradientTransformation: use its .gradient_transformation().")
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
        raise ValueError('rng_streams must not hold "params": Flax falls back to it silently.')
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
    """The average before the first update.

    Raises:
        ValueError: the average is not a tree like the parameters, but is to be evaluated.
    """
    state = averager.init(params)
    output = averager.update(params, state)[0]
    if evaluate_average and jax.tree.structure(output) != jax.tree.structure(params):
        raise ValueError(
            "averager must give a tree like the parameters for evaluate_average=True, "
            f"got a {type(output).__name__}: set evaluate_average=False."
        )
    return Averaged(output, state)
