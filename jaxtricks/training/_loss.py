"""What a loss is, and what becomes of the numbers it gives."""

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
    """`(params, model_state, batch, keys, *, train) -> (losses, (model_state, metrics))`.

    `losses` and every metric hold one number for each example of the batch. `keys` maps the names
    of the random streams to keys. `classification_loss` makes one from a Flax module.

    One entry of `metrics` is not a metric: `"extra_args"`, a dict, is passed to the update rule as
    keyword arguments. It is how a rule learns what only the model knows.
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
    """A loss that also says what its model predicts.

    Attributes:
        per_example: what a `Loss` is called for.
        predict: `(variables, batch) -> outputs` of the model in evaluation, for a batch as it is.
        prepare: `(batch) -> batch`, the preprocessing, which `per_example` does not do again; None
            if there is none. A trainer augments what it gives.
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
        """The loss of each example, the model's state and the metrics."""
        if self.prepare is not None:
            batch = self.prepare(batch)
        return self.per_example(params, model_state, batch, keys, train=train)


def check_loss(loss: object) -> None:
    """Checks what can be seen of a loss before it is called.

    Raises:
        TypeError: it cannot be called as `Loss` describes.
    """
    check_function("loss", loss)
    if isinstance(loss, nn.Module):
        raise TypeError(
            "loss must be a function such as classification_loss(model), got the model itself, a "
            f"{type(loss).__name__}."
        )
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):  # what Python cannot inspect is called
        return
    if not any(p.name == "train" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise TypeError(
            "loss must be (params, model_state, batch, keys, *, train) -> (losses, (model_state, "
            f"metrics)), such as classification_loss(model), got {shown(loss)} without train."
        )


def split_output(given: Any) -> tuple[Any, PyTree, dict[str, Any], dict[str, Any]]:
    """Gives the losses, the model's state, the metrics and the extra arguments of the rule.

    Raises:
        TypeError: a loss gave something else than `(losses, (model_state, metrics))`.
    """
    right = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], tuple)
    if not right or len(given[1]) != 2 or not isinstance(given[1][1], Mapping):
        raise TypeError(
            f"loss must give (losses, (model_state, metrics)), metrics a dict, got {shown(given)}."
        )
    losses, (model_state, metrics) = given
    metrics = dict(metrics)
    extra_args = metrics.pop("extra_args", {})
    check_instance('metrics["extra_args"]', extra_args, Mapping)
    if "value" in extra_args:
        raise ValueError("extra_args of the loss must not name value: it is the batch's mean loss.")
    return losses, model_state, metrics, dict(extra_args)


def divisor_of(weight: Float[Array, ""]) -> Float[Array, ""]:
    """What weighted sums are divided by, given the sum of the weights.

    It is 1 for 0, so that the mean of nothing is 0, and NaN for infinity, whose shares are NaN.
    """
    return jnp.where(jnp.isfinite(weight), jnp.where(weight > 0, weight, 1), jnp.nan)


def weighted_sums(
    losses: Float[Array, " batch"], metrics: Metrics, weight: Float[Array, " batch"]
) -> Metrics:
    """Sums of the loss and of each metric over the examples, with their weights.

    What is given for an example of weight 0 is not looked at: it may be NaN.

    Raises:
        ValueError: one is not a number per example, or a metric has a name that the step uses.
    """
    for name in sorted(RESERVED & metrics.keys()):
        raise ValueError(f"loss must not name a metric {name!r}: the step itself uses that name.")
    values = {**metrics, "loss": losses}
    for name, value in values.items():
        if jnp.shape(value) != jnp.shape(weight):
            raise ValueError(
                f"loss must give one {name} per example, of the shape {jnp.shape(weight)}, "
                f"got {jnp.shape(value)}."
            )
    wide = {name: jnp.asarray(value) for name, value in values.items()}
    wide = {name: value.astype(wide_dtype(value.dtype)) for name, value in wide.items()}
    none = weight == 0
    with jax.numpy_dtype_promotion("standard"):  # float64 weights count float32 losses
        parts = {name: weight * jnp.where(none, 0, value) for name, value in wide.items()}
    return {name: jnp.sum(part) for name, part in parts.items()}
