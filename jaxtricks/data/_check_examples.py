"""Checks of a data set's images, labels and weights, before a program is compiled for them."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Shaped

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_instance, check_integer

Values = Shaped[np.ndarray, "n *rest"]
Numbers = Int[np.ndarray, " n"]  # the number of the example in each row


def check_examples(
    examples: Mapping[str, Shaped[jax.Array | np.ndarray, "..."]], *, classes: int | None = None
) -> None:
    """Checks the arrays of a data set, without changing them.

    These arrays are allowed, all of the same length `n` and with finite values:

    - `"image"`: uint8 `[n, height, width, channels]`, or, after preprocessing, floating
      `[n, height, width, channels]` or `[n, features]`.
    - `"label"`: integer `[n]`, counted from 0, or floating `[n, classes]`, whose rows are
      probabilities.
    - `"weight"`: `[n]`, floating, integer or bool, not negative, with a sum that float32 can hold.
      The other arrays may hold any value in examples of weight 0.
    - Arrays with other names, of any shape.

    Every number must fit into the dtype in which JAX stores it: the label `2**32` would become 0.

    Args:
        examples: a dict of arrays whose first axis is the example, such as a split from `load`.
        classes: number of classes, at least 1; None checks only that no label is negative.

    Raises:
        TypeError: `examples` is not a mapping, a value is not an array, or a dtype is not allowed.
        ValueError: there is no example, or a length, shape or value is not as above. Floating
            images `[n, height, width, channels]` are also refused if all their values are whole
            numbers of at least 0 with a maximum above 1, because such images were not preprocessed.

    Example:
        >>> image = np.zeros((2, 8, 8, 1), np.uint8)
        >>> check_examples({"image": image, "label": np.array([0, 9])}, classes=10)
        >>> check_examples({"image": image, "label": np.array([0, 10])}, classes=10)
        Traceback (most recent call last):
        ValueError: label must be under the 10 classes, got 10 in example 1.
    """
    check_instance("examples", examples, Mapping)
    if classes is not None:
        check_integer("classes", classes, low=1)
    arrays = {}
    for name, values in examples.items():
        if not isinstance(values, jax.Array | np.ndarray):
            raise TypeError(f"{name} must be an array, got {values!r}.")
        arrays[name] = np.asarray(values)
        if not arrays[name].ndim:
            raise ValueError(
                f"{name} must be an array whose first axis is the example, got {values!r}."
            )
    sizes = {name: len(values) for name, values in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"examples must have arrays of one length, got {sizes}.")
    if not sizes or not min(sizes.values()):
        raise ValueError(f"examples must not be empty, got {sizes}.")
    numbers = np.arange(len(next(iter(arrays.values()))))
    if "weight" in arrays:
        check_weight(arrays["weight"], numbers)
    check_rows_fit(arrays)
    if "weight" in arrays and not np.all(arrays["weight"]):
        numbers = np.flatnonzero(arrays["weight"])
        arrays = {name: values[numbers] for name, values in arrays.items()}
    if not len(numbers):
        return
    for name, values in arrays.items():
        check_finite(name, values, numbers)
    if "image" in arrays:
        check_image(arrays["image"])
    if "label" in arrays:
        check_label(arrays["label"], classes, numbers)


def check_finite(name: str, values: Values, numbers: Numbers) -> None:
    """Raises an error if a value is NaN or infinite."""
    if is_floating(values):
        where = np.argwhere(~np.isfinite(values))
        if len(where):
            value = values[tuple(where[0])]
            number = numbers[where[0][0]]
            raise ValueError(f"{name} must be finite, got {value} in example {number}.")


def check_image(images: Values) -> None:
    """Raises an error if images have a wrong dtype or shape, or were not preprocessed."""
    if images.dtype != np.uint8 and not is_floating(images):
        raise TypeError(
            f"image must be uint8 (0 to 255), or floating after preprocessing, got {images.dtype}."
        )
    preprocessed = is_floating(images)
    if images.ndim != 4 and not (preprocessed and images.ndim == 2) or not images.size:
        rows = " or [n, features]" if preprocessed else ""
        raise ValueError(
            f"image must be [n, height, width, channels]{rows}, got the shape {images.shape}."
        )
    if preprocessed and images.ndim == 4 and images.min() >= 0 and images.max() > 1:
        if np.array_equal(images, np.floor(images)):
            raise ValueError(
                f"image must be preprocessed or uint8, got {images.dtype} with integer values up to"
                f" {images.max()}."
            )


def check_label(labels: Values, classes: int | None, numbers: Numbers) -> None:
    """Raises an error if labels are neither classes in range nor rows of probabilities."""
    integer = np.issubdtype(labels.dtype, np.integer)
    if not integer and not is_floating(labels):
        raise TypeError(f"label must be integer or floating, got {labels.dtype}.")
    if labels.ndim != (1 if integer else 2):
        wanted = "integer [n]" if integer else "integer [n] or floating [n, classes]"
        raise ValueError(
            f"label must be {wanted}, got {labels.dtype} {list(labels.shape)}: give targets of "
            "another kind another name."
        )
    if integer:
        refuse("label", "not be negative", labels, labels < 0, numbers)
        if classes is not None:
            refuse("label", f"be under the {classes} classes", labels, labels >= classes, numbers)
        return
    if labels.shape[1] != classes and classes is not None:
        raise ValueError(f"label must have {classes} columns, got {labels.shape[1]}.")
    sums = labels.astype(np.float64).sum(axis=1)
    tolerance = 4 * float(jnp.finfo(labels.dtype).eps) * labels.shape[1]
    refuse("label", "not be negative", labels.min(axis=1), labels.min(axis=1) < 0, numbers)
    refuse("label", "have rows that sum to 1", sums, np.abs(sums - 1) > tolerance, numbers)


def check_weight(weights: Values, numbers: Numbers) -> None:
    """Raises an error unless weights are `[n]`, at least 0, and have a sum within float32."""
    if not is_floating(weights) and weights.dtype.kind not in "iub":
        raise TypeError(f"weight must be floating, integer or bool, got {weights.dtype}.")
    if weights.ndim != 1:
        raise ValueError(f"weight must be [n], got the shape {weights.shape}.")
    check_finite("weight", weights, numbers)
    refuse("weight", "not be negative", weights, weights < 0, numbers)
    total = weights.astype(np.float64).sum()
    if total > np.finfo(np.float32).max:
        raise ValueError(f"weight must have a sum that float32 can hold, got {total:g}.")


def refuse(name: str, rule: str, values: Values, broken: Values, numbers: Numbers) -> None:
    """Raises an error that shows the first value for which `broken` is true, if there is one."""
    where = np.flatnonzero(broken)
    if len(where):
        row = where[0]
        raise ValueError(f"{name} must {rule}, got {values[row]} in example {numbers[row]}.")


def is_floating(values: Values) -> bool:
    """Says whether the dtype is floating; unlike NumPy's own test, it knows bfloat16."""
    return bool(jnp.issubdtype(values.dtype, jnp.floating))
