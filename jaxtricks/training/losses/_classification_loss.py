"""The cross-entropy of a classifier, one number per example, as a loss for `trainer`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree
from typing_extensions import TypeAliasType

from jaxtricks._array_checks import real_array
from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_function, check_instance, check_integer, check_range, shown
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks._wide_labels import wide_labels
from jaxtricks.training._apply import Apply, apply_of
from jaxtricks.training._loss import Batch, ModelLoss

ExtraArgs = TypeAliasType(
    "ExtraArgs",
    Callable[[PyTree, Mapping[str, PyTree], Float[Array, " batch"]], Mapping[str, Any]],
)


def classification_loss(
    model: nn.Module | Apply,
    *,
    preprocess: Callable[[Array], Float[Array, "..."]] | None = None,
    label_smoothing: ScalarLike = 0.0,
    class_weights: Float[Array, " classes"] | Sequence[float] | None = None,
    top_k: Sequence[int] = (),
    extra_args: ExtraArgs | None = None,
) -> ModelLoss:
    r"""Makes the softmax cross-entropy loss of a model, with one number per example.

    The loss is $-\sum_c q_c \log p_c$ times the class weight of the label, where $q$ is the label's
    one-hot row, mixed with the uniform distribution by `label_smoothing`. It is computed by
    log-sum-exp, so it stays finite if logits differ much. The batch holds `"image"` and `"label"`.
    Labels are integers `[batch]`, or class probabilities `[batch, classes]`, such as mixup makes.
    An integer label out of range makes the loss and metrics of its example NaN, for which `fit`
    raises an error.

    Give an example without a label (PyTorch's `ignore_index=-100`) the weight 0; its label may then
    be anything, and the mean is over the other examples:
    `{"image": image, "label": label, "weight": np.float32(label != -100)}`. Give a class
    that must not be chosen the logit `-jnp.inf`: its probability and its gradient are 0, and label
    smoothing gives it no share. An example with that label has an infinite loss.

    Args:
        model: returns logits `[batch, classes]`: a `flax.linen` module whose `__call__` takes
            `train` by keyword, or a function as `Apply` describes it, such as `split_nnx` makes of
            a `flax.nnx` module. If its call has a parameter `example_mask`, as this library's
            models do, it receives a bool for each example, False for weight 0, so that batch norm
            can leave such examples out. Other models see a copy of the first example of nonzero
            weight in place of each example of weight 0, and their batch statistics count the copy.
        preprocess: applied to the images first, inside the step. None divides integers by 255 and
            leaves floats as they are.
        label_smoothing: $\epsilon$ in `[0, 1)`: $q = (1 - \epsilon)\,\mathrm{onehot} + \epsilon/C$,
            over the $C$ classes whose logits are not minus infinity.
        class_weights: one number per class, at least 0, by which the loss of an example with that
            label is multiplied; for class probabilities, their weighted sum. The mean over a batch
            still divides by the number of examples (PyTorch divides by the sum of the weights).
        top_k: for each number k in it, the loss also returns a metric such as `"top_5_accuracy"`; k
            is at most the number of classes.
        extra_args: `(params, masks, weight) -> dict`, called in training only; its result is passed
            to the `update` of `tx` as keyword arguments. `masks` is the collection `"masks"` that
            the layers have sown in this call, by the layers' names in Flax:
            `{"Dropout_0": {"keep": (mask,)}}` for an `MLP`, `"layers_4"` for the fifth layer of a
            `Sequential`. `weight` is the weight of each example. A trainer with `accumulate` above
            1 or an `axis_name` refuses it, because it needs the whole batch. See
            `optimizers.freeze_dropped`.

    Returns:
        The loss, computed in float32 or wider. Its metric `"accuracy"` is 1 if the label has the
        largest logit (the first of equal ones), else 0.

    Raises:
        TypeError: `model` is neither a Flax module nor a function, or `top_k` is not a sequence of
            integers.
        ValueError: an argument is out of range, or, when the loss is traced, a batch has no images
            or labels, the labels have the wrong dtype or shape, the number of class weights is not
            the number of classes, or a number in `top_k` is larger than it.

    Example:
        >>> class Doubled(nn.Module):
        ...     def __call__(self, x, *, train):
        ...         return 2 * x
        >>> loss = classification_loss(Doubled())
        >>> batch = {"image": jnp.array([[0.0, 0.0], [0.0, 90.0]]), "label": jnp.array([0, 0])}
        >>> losses, (_, metrics) = loss({}, {}, batch, {}, train=False)
        >>> print(losses.round(4), metrics["accuracy"])
        [  0.6931 180.    ] [1. 0.]

    References:
        Label smoothing: Szegedy et al.,
        [Rethinking the Inception architecture](https://arxiv.org/abs/1512.00567), 2015, section 7.
    """
    apply = apply_of(model)
    check_range("label_smoothing", label_smoothing, low=0.0, below=1.0)
    if preprocess is not None:
        check_function("preprocess", preprocess)
    if extra_args is not None:
        check_function("extra_args", extra_args)
    sown = () if extra_args is None else ("masks",)
    check_instance("top_k", top_k, Sequence)
    for index, k in enumerate(top_k):
        check_integer(f"top_k[{index}]", k, low=1)
    weights = None
    if class_weights is not None:
        weights = real_array("class_weights", class_weights).astype(jnp.float32)
    if weights is not None and not isinstance(weights, jax.core.Tracer):
        if not (np.all(np.isfinite(weights)) and np.all(np.asarray(weights) >= 0)):
            raise ValueError(
                f"class_weights must be finite and at least 0, got {np.asarray(weights)}."
            )

    def prepare(batch: Batch) -> dict[str, Any]:
        if "image" not in batch:
            raise ValueError(f'batch must hold "image", got {sorted(batch)}.')
        check_rows_fit(batch)
        images = jnp.asarray(batch["image"])
        return {**batch, "image": to_unit(images) if preprocess is None else preprocess(images)}

    def logits_of(
        variables: Mapping[str, PyTree],
        images: Any,
        *,
        train: bool,
        rngs: Mapping,
        example_mask: Bool[Array, " batch"] | None = None,
    ) -> tuple[Float[Array, "batch classes"], PyTree]:
        options = {"train": train, "rngs": rngs, "example_mask": example_mask, "sown": sown}
        called = apply(variables, images, **options)
        if not isinstance(called, tuple) or len(called) != 2:
            raise TypeError(f"model must return (outputs, model_state), got {shown(called)}.")
        logits, model_state = called
        return logits.astype(wide_dtype(logits.dtype)), model_state

    def per_example(
        params: PyTree,
        model_state: PyTree,
        batch: Batch,
        keys: dict[str, Key[Array, ""]],
        *,
        train: bool,
    ) -> Any:
        variables = {"params": params, **model_state}
        present = jnp.asarray(batch["weight"]) != 0 if "weight" in batch else None
        options = {"train": train, "rngs": keys, "example_mask": present}
        logits, model_state = logits_of(variables, batch["image"], **options)
        classes = logits.shape[-1]
        check_shapes(batch, classes, weights, top_k)
        target = probabilities(jnp.asarray(batch["label"]), classes)
        possible = (logits > -jnp.inf).astype(target.dtype)
        share = label_smoothing / jnp.maximum(jnp.sum(possible, axis=-1, keepdims=True), 1)
        losses = cross_entropy(logits, (1 - label_smoothing) * target + share * possible)
        if weights is not None:
            own = jnp.sum(target * weights[None], axis=-1)
            losses = jnp.where(own == 0, 0, own * losses)
        metrics = {"accuracy": in_top(logits, target, 1)}
        metrics |= {f"top_{k}_accuracy": in_top(logits, target, k) for k in top_k}
        if train and extra_args is not None:
            masks = model_state.get("masks", {})
            model_state = {name: tree for name, tree in model_state.items() if name != "masks"}
            weight = batch.get("weight", jnp.ones(len(logits)))
            metrics["extra_args"] = extra_args(params, masks, weight)
        return losses, (model_state, metrics)

    def predict(variables: Mapping[str, PyTree], batch: Batch) -> Float[Array, "batch classes"]:
        return logits_of(variables, prepare(batch)["image"], train=False, rngs={})[0]

    return ModelLoss(per_example, predict, prepare)


def check_shapes(
    batch: Batch, classes: int, weights: Float[Array, " classes"] | None, top_k: Sequence[int]
) -> None:
    """Checks labels, class weights and `top_k` against the number of classes of the logits.

    Raises:
        ValueError: there are no labels, the number of class weights is not `classes`, or a number
            in `top_k` is larger than `classes`.
    """
    if "label" not in batch:
        raise ValueError(f'batch must hold "image" and "label", got {sorted(batch)}.')
    if weights is not None and weights.shape != (classes,):
        raise ValueError(
            f"class_weights must be one number for each of {classes} classes, got an array of the "
            f"shape {list(weights.shape)}."
        )
    for k in top_k:
        if k > classes:
            raise ValueError(f"top_k must be at most the {classes} classes, got {k}.")


def to_unit(images: Array) -> Float[Array, "..."]:
    """Divides integers by 255, keeps floats, and turns bools into 0 and 1."""
    if jnp.issubdtype(images.dtype, jnp.floating):
        return images
    return images.astype(jnp.float32) / (1 if images.dtype == bool else 255)


def probabilities(labels: Array, classes: int) -> Float[Array, "batch classes"]:
    """Turns integer labels into one-hot rows, NaN if out of range; keeps rows of probabilities.

    Raises:
        ValueError: the labels have another dtype or shape.
    """
    integer = jnp.issubdtype(labels.dtype, jnp.integer)
    if labels.ndim != (1 if integer else 2) or not integer and labels.shape[1] != classes:
        raise ValueError(
            f"label must be integers [batch] or floating [batch, {classes}], "
            f"got {labels.dtype} {list(labels.shape)}."
        )
    if not integer:
        return labels.astype(wide_dtype(labels.dtype))
    labels = wide_labels(labels)
    inside = (labels >= 0) & (labels < classes)
    rows = jax.nn.one_hot(labels, classes, dtype=jnp.float32)
    return jnp.where(inside[:, None], rows, jnp.nan)


def cross_entropy(
    logits: Float[Array, "batch classes"], target: Float[Array, "batch classes"]
) -> Float[Array, " batch"]:
    """Computes the cross-entropy, where a probability of 0 adds 0 even if its logit is -inf."""
    log_p = jax.nn.log_softmax(logits)
    excluded = (target == 0) & (log_p == -jnp.inf)
    return -jnp.sum(target * jnp.where(excluded, 0, log_p), axis=-1)


def in_top(
    logits: Float[Array, "batch classes"], target: Float[Array, "batch classes"], k: int
) -> Float[Array, " batch"]:
    """Returns 1 if the label is among the `k` largest logits, else 0; NaN if the target is NaN.

    The label is the class with the largest target. Ties go to the lower index; NaN ranks above
    every number.
    """
    labels = jnp.argmax(target, axis=-1)
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)
    first = jnp.arange(logits.shape[1])[None] < labels[:, None]
    before = ~(logits <= chosen) | ((logits == chosen) & first)
    found = (jnp.sum(before, axis=1) < k).astype(jnp.float32)
    return jnp.where(jnp.any(jnp.isnan(target), axis=1), jnp.nan, found)
