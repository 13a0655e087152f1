"""What a loss function is, and how its numbers become weighted sums."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_function, check_instance, shown
from jaxtricks._wide_dtype import wide_dtype

Batch = TypeAliasType("Batch", Mapping[str, Array | np.ndarray])
Metrics = TypeAliasType("Metrics", dict[str, Array])
RESERVED = frozenset({"loss", "weight", "penalty", "learning_rate", "gradient_norm", "non_finite"})


@runtime_checkable
class Loss(Protocol):
    """A loss function: it returns one loss and further metrics for each example of a batch.

    `(params, model_state, batch, keys, *, train) -> (losses, (model_state, metrics))`

    `params` and `model_state` are the parameters and the other variables of the model, as in
    `TrainState`; the returned `model_state` is the one after the call. `losses` and every metric
    are arrays `[batch]`. In training, `keys` maps the name of each random stream to a random key;
    in evaluation, it is empty. `classification_loss` makes such a function from a model.

    The entry `metrics["extra_args"]`, if there is one, is not a metric but a dict, which is passed
    to the `update` of the gradient transformation as keyword arguments. In this way an optimizer
    can use what only the model knows, such as the masks of dropout.
    """

    def __call__(
        self,
        params: PyTree,
        model_state: PyTree,
        batch: Batch,
        keys: dict[str, Key[Array, ""]],
        *,
        train: bool,
    ) -> tuple[Float[Array, " batch"], tuple[PyTree, dict[str, Any]]]: ...


class ModelLoss(NamedTuple):
    """A loss function together with the predictions and the preprocessing of its model.

    Attributes:
        per_example: a loss function as described in `Loss`, for a batch that is already
            preprocessed.
        predict: `(variables, batch) -> outputs` of the model in evaluation, for a batch that is not
            yet preprocessed.
        prepare: `(batch) -> batch`, the preprocessing; None if there is none. The `augment` of a
            trainer is applied after it.
    """

    per_example: Loss
    predict: Callable[[Mapping[str, PyTree], Batch], Any]
    prepare: Callable[[Batch], Batch] | None = None

    def __call__(
        self,
        params: PyTree,
        model_state: PyTree,
        batch: Batch,
        keys: dict[str, Key[Array, ""]],
        *,
        train: bool,
    ) -> tuple[Float[Array, " batch"], tuple[PyTree, dict[str, Any]]]:
        """Preprocesses the batch; returns the losses, the model's state and the metrics."""
        if self.prepare is not None:
            batch = self.prepare(batch)
        return self.per_example(params, model_state, batch, keys, train=train)


def check_loss(loss: object) -> None:
    """Checks that `loss` can be called as `Loss` describes, as far as its signature shows.

    Raises:
        TypeError: `loss` is not a function, is the model itself, or does not take `train`.
    """
    check_function("loss", loss)
    if isinstance(loss, nn.Module):
        raise TypeError(
            "loss must be a function such as classification_loss(model), got the model itself, a "
            f"{type(loss).__name__}."
        )
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):  # Python cannot inspect this function
        return
    if not any(p.name == "train" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise TypeError(
            "loss must be a function (params, model_state, batch, keys, *, train) -> (losses, "
            "(model_state, metrics)), such as classification_loss(model), got "
            f"{shown(loss)} without train."
        )


def split_output(given: Any) -> tuple[Any, PyTree, dict[str, Any], dict[str, Any]]:
    """Splits the result of a loss: losses, model state, metrics, and arguments for `tx.update`.

    Raises:
        TypeError: the result is not `(losses, (model_state, metrics))`, or `metrics["extra_args"]`
            is not a dict.
        ValueError: `metrics["extra_args"]` has an entry `"value"`.
    """
    right = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], tuple)
    if not right or len(given[1]) != 2 or not isinstance(given[1][1], Mapping):
        raise TypeError(
            "loss must return (losses, (model_state, metrics)) with a dict of metrics, got "
            f"{shown(given)}."
        )
    losses, (model_state, metrics) = given
    metrics = dict(metrics)
    extra_args = metrics.pop("extra_args", {})
    check_instance('metrics["extra_args"]', extra_args, Mapping)
    if "value" in extra_args:
        raise ValueError(
            "extra_args of the loss must not hold 'value', because the step passes the mean loss "
            f"of the batch to tx.update by that name, got {sorted(map(str, extra_args))}."
        )
    return losses, model_state, metrics, dict(extra_args)


def divisor_of(weight: Float[Array, ""]) -> Float[Array, ""]:
    """Returns the number by which weighted sums are divided, given the sum of the weights.

    It is 1 if that sum is 0, so that the mean over no examples is 0, and NaN if that sum is
    infinite, because the share of an example is then undefined.
    """
    return jnp.where(jnp.isfinite(weight), jnp.where(weight > 0, weight, 1), jnp.nan)


def weighted_sums(
    losses: Float[Array, " batch"], metrics: Metrics, weight: Float[Array, " batch"]
) -> Metrics:
    """Sums the loss and each metric over the examples, multiplied by their weights.

    The values of examples of weight 0 are ignored, even NaN.

    Raises:
        ValueError: the loss or a metric is not one number per example, or a metric has a name that
            the step uses.
    """
    for name in sorted(RESERVED & metrics.keys()):
        raise ValueError(f"loss must not name a metric {name!r}: the step itself uses that name.")
    values = {**metrics, "loss": losses}
    for name, value in values.items():
        if jnp.shape(value) != jnp.shape(weight):
            raise ValueError(
                f"loss must return one {name} per example, of the shape {jnp.shape(weight)}, "
                f"got {jnp.shape(value)}."
            )
    wide = {name: jnp.asarray(value) for name, value in values.items()}
    wide = {name: value.astype(wide_dtype(value.dtype)) for name, value in wide.items()}
    none = weight == 0
    with jax.numpy_dtype_promotion("standard"):  # weights may be float64 and losses float32
        parts = {name: weight * jnp.where(none, 0, value) for name, value in wide.items()}
    return {name: jnp.sum(part) for name, part in parts.items()}
