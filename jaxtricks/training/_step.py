"""One update: sample batch, forward, backward, step."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, PyTree, ScalarLike

from jaxtricks._checks import (
    check_flag,
    check_function,
    check_functions,
    check_instance,
    check_integer,
)
from jaxtricks.averaging import Averager
from jaxtricks.training._loss import (
    Batch,
    Loss,
    Metrics,
    parts_of_loss,
    weighted_sums_of,
    with_weight,
)
from jaxtricks.training._non_finite import count_non_finite, sum_of_squares
from jaxtricks.training._state import TrainState, averaged

TrainStep = Callable[[TrainState, Batch, Key[Array, ""]], tuple[TrainState, Metrics]]


def make_train_step(
    loss: Loss,
    tx: optax.GradientTransformation,
    *,
    penalty: Callable[[PyTree], Float[Array, ""]] | None = None,
    averager: Averager | None = None,
    accumulate: int = 1,
    rng_streams: Sequence[str] = ("dropout",),
    learning_rate: ScalarLike | optax.Schedule | None = None,
    diagnostics: bool = True,
    axis_name: str | None = None,
) -> TrainStep:
    r"""Makes the pure function `step(state, batch, key) -> (state, metrics)`.

    The gradient is that of $\sum_i w_i \ell_i / \sum_i w_i + R(\theta)$ with the sums over the
    whole batch, on however many devices it lies, so ragged and padded batches are exact; the
    weights are `batch["weight"]`, 1 where there are none. Step t of stream s draws from
    `fold_in(fold_in(fold_in(key, t), part), s)`: pass the same key to every step.

    Args:
        loss: per-example losses, see `Loss`.
        tx: the rule, whole; compose clipping in front of it (`optax.clip_by_global_norm`). It is
            given the batch's mean loss as `value`.
        penalty: $R$, added once whatever the number of devices or parts.
        averager: watches the parameters after every update, such as
            `averaging.exponential_average(0.999)`; what it makes of them is
            `state.average.output`. Give it to `init_state` too.
        accumulate: in how many parts the batch goes through the model, one after another, for
            the memory of one part. Batch statistics are those of each part.
        rng_streams: names of the streams that the model draws from; never `"params"`.
        learning_rate: that of `tx`, only to be reported.
        diagnostics: whether to report `"gradient_norm"` and `"non_finite"`. Small models in large
            populations are faster without; NaN then shows in the losses only.
        axis_name: of the mapped axis under `pmap_step`; else None.

    Returns:
        The step. Its metrics are means over the batch with its weights: `"loss"` (without the
        penalty) and those of `loss`; besides `"penalty"` if there is one, `"learning_rate"` (if
        given, times the state's scale), `"weight"`, the sum of the weights, `"gradient_norm"`, and
        `"non_finite"`, how many entries of the loss, the gradient and the new parameters are NaN
        or infinite.

    Raises:
        TypeError: `tx` is no gradient transformation, `averager` no averager, `accumulate` no
            integer, `rng_streams` one string, or `loss` or `penalty` no function.
        ValueError: `accumulate` is under 1, a stream is called `"params"`, or, when the step is
            traced, the batch cannot be divided by `accumulate`, only one of step and state has an
            averager, or `loss` gives something else
            than one number per example, or a metric by a name that the step itself uses.

    Example:
        >>> from jaxtricks.optimizers import gradient_descent
        >>> from jaxtricks.training import init_state
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2 / 2, (model_state, {})
        >>> tx = gradient_descent(1.0)
        >>> step = make_train_step(loss, tx, rng_streams=())
        >>> batch = {"x": jnp.array([1.0, 3.0, 9.0]), "weight": jnp.array([1.0, 1.0, 0.0])}
        >>> state, metrics = step(init_state(jnp.zeros(()), tx), batch, jax.random.key(0))
        >>> float(state.params), float(metrics["loss"])
        (2.0, 2.5)

    References:
        S-DAT-08, S-OPT-04, S-LOS-04; notes 000:77-84, 003:5.
    """
    check_flag("diagnostics", diagnostics)
    check_instance("tx", tx, optax.GradientTransformation)
    check_integer("accumulate", accumulate, low=1)
    check_function("loss", loss)
    if penalty is not None:
        check_function("penalty", penalty)
    if averager is not None:
        check_functions("averager", averager, Averager)
    if isinstance(rng_streams, str):
        raise TypeError(f"rng_streams must be a sequence of names, got {rng_streams!r}.")
    if "params" in rng_streams:
        raise ValueError('rng_streams must not hold "params": Flax falls back to it silently.')
    rule = optax.with_extra_args_support(tx)

    def part_of_mean(
        params: PyTree, model_state: PyTree, part: Any, mass: Array, key: Array
    ) -> Any:
        keys = {name: jax.random.fold_in(key, i) for i, name in enumerate(rng_streams)}
        losses, (model_state, metrics) = parts_of_loss(
            loss(params, model_state, part, keys, train=True)
        )
        sums = weighted_sums_of(losses, metrics, part["weight"] / mass)
        return sums["loss"], (model_state, sums)

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(key, state.step)
        if axis_name is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        batch = with_weight(batch)
        weight = across(jnp.sum(batch["weight"]), axis_name)
        mass = jnp.where(weight > 0, weight, 1)
        gradients, model_state, metrics = in_parts(
            widened(jax.grad(part_of_mean, has_aux=True)), state, batch, mass, key, accumulate
        )
        metrics, gradients = across((metrics, gradients), axis_name)
        gradients = jax.tree.map(lambda g, p: g.astype(p.dtype), gradients, state.params)
        if penalty is not None:
            metrics["penalty"], extra = jax.value_and_grad(penalty)(state.params)
            gradients = jax.tree.map(jnp.add, gradients, extra)
        updates, opt_state = rule.update(
            gradients, state.opt_state, state.params, value=metrics["loss"]
        )
        scale = state.learning_rate_scale
        updates = jax.tree.map(lambda u: (scale * u).astype(u.dtype), updates)
        params = optax.apply_updates(state.params, updates)
        if learning_rate is not None:
            rate = learning_rate(state.step) if callable(learning_rate) else learning_rate
            metrics["learning_rate"] = scale * rate
        metrics["weight"] = weight
        if diagnostics:
            metrics["gradient_norm"] = jnp.sqrt(sum_of_squares(gradients))
            metrics["non_finite"] = count_non_finite((metrics["loss"], gradients, params))
        count = optax.safe_increment(state.step)
        average = averaged(averager, params, state.average)
        return TrainState(count, params, model_state, opt_state, scale, average), metrics

    return step


def widened(gradient: Callable) -> Callable:
    """Gives gradients in float32 or wider, for sums over parts and devices to be exact."""

    def wide(*arguments: Any) -> tuple[PyTree, Any]:
        g, aux = gradient(*arguments)
        return jax.tree.map(lambda x: x.astype(jnp.promote_types(x.dtype, jnp.float32)), g), aux

    return wide


def in_parts(
    gradient: Callable,
    state: TrainState,
    batch: Batch,
    mass: Float[Array, ""],
    key: Key[Array, ""],
    parts: int,
) -> tuple[PyTree, PyTree, Metrics]:
    """Sums gradients and metrics over equal parts of the batch, threading the model's state."""

    def of_part(model_state: PyTree, part: Batch, number: Any) -> Any:
        return gradient(state.params, model_state, part, mass, jax.random.fold_in(key, number))

    if parts == 1:
        g, (model_state, sums) = of_part(state.model_state, batch, 0)
        return g, model_state, sums
    size = len(batch["weight"])
    if size % parts:
        raise ValueError(f"accumulate must divide the batch of {size} examples, got {parts}.")
    split = jax.tree.map(lambda x: x.reshape(parts, size // parts, *x.shape[1:]), batch)

    def body(carry: Any, row: Any) -> tuple[Any, None]:
        total, model_state = carry
        g, (model_state, sums) = of_part(model_state, *row)
        return (jax.tree.map(jnp.add, total, (g, sums)), model_state), None

    g, (model_state, sums) = of_part(state.model_state, jax.tree.map(lambda x: x[0], split), 0)
    rest = (jax.tree.map(lambda x: x[1:], split), jnp.arange(1, parts))
    ((g, sums), model_state), _ = jax.lax.scan(body, ((g, sums), model_state), rest)
    return g, model_state, sums


def across(tree: PyTree, axis_name: str | None) -> PyTree:
    """Sums over the devices of a mapped axis."""
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)
