"""Examples that a model would take for something else are refused, good ones pass."""

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from jaxtricks import data

IMAGE = np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1)
LABEL = np.array([0, 1, 2, 0, 1, 2], np.int32)
SOFT = np.eye(3, dtype=np.float32)[LABEL]
GOOD = {"image": IMAGE, "label": LABEL}
SMOOTH = IMAGE.astype(np.float32) / 255


def with_one(values, value):
    """A copy whose example 4 has this value."""
    changed = np.array(values)
    changed.reshape(len(changed), -1)[4, 0] = value
    return changed


@pytest.mark.parametrize(
    "examples",
    [
        GOOD,
        {"image": SMOOTH, "label": LABEL.astype(np.uint8)},
        {"image": (SMOOTH - 0.1).reshape(6, 16), "label": LABEL.astype(np.int64)},
        {"image": jnp.asarray(SMOOTH, jnp.bfloat16), "label": jnp.asarray(SOFT, jnp.bfloat16)},
        {"image": IMAGE, "label": 0.9 * SOFT + 0.1 / 3, "weight": np.zeros(6, np.float32)},
        {"image": (SMOOTH > 0.1).astype(np.float32), "label": LABEL},
        {"x": np.ones((6, 2)), "y": np.array(list("abcdef"))},
        {"image": IMAGE, "label": LABEL},
    ],
)
def test_good_examples_pass(examples):
    data.check_examples(examples)
    data.check_examples(examples, classes=3)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.int32, bool])
@pytest.mark.parametrize("label", [-1, 255, 2**32])
def test_an_example_of_weight_zero_may_hold_anything(dtype, label):
    """It is absent; the same example with a weight is refused by its own number."""
    weight = np.array([0, 1, 1, 1, 0, 1]).astype(dtype)
    wrong = {
        "image": with_one(SMOOTH, np.nan),
        "label": with_one(LABEL.astype(np.int64), label),
        "x": with_one(np.ones(6), 1e39),
    }
    data.check_examples({**wrong, "weight": weight}, classes=3)
    for name, values in wrong.items():
        present = {**GOOD, name: values, "weight": np.array([0, 1, 1, 1, 1, 0]).astype(dtype)}
        with pytest.raises(ValueError, match=f"{name} must .* in example 4"):
            data.check_examples(present, classes=3)


def test_soft_labels_of_many_classes_pass():
    """Rounding of each entry adds up; no more than that is allowed."""
    for dtype in (jnp.bfloat16, jnp.float32):
        soft = jnp.full((2, 1000), 0.001, dtype)
        data.check_examples({"label": soft}, classes=1000)


@pytest.mark.slow
def test_real_splits_pass():
    for part in data.load("digits"):
        data.check_examples(part, classes=10)
        scale = data.standardize(part["image"])
        data.check_examples({"image": scale.apply(part["image"]), "label": part["label"]})


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"label": with_one(LABEL, 3)}, ValueError, "under the 3 classes, got 3 in example 4"),
        ({"label": with_one(LABEL, -1)}, ValueError, "label .* negative, got -1 in example 4"),
        ({"label": LABEL.astype(np.float32)}, ValueError, r"label must be .*, got float32 \[6\]"),
        ({"label": LABEL > 0}, TypeError, "label must be integer or floating, got bool"),
        ({"label": LABEL[:, None]}, ValueError, r"label must be integer \[n\], got int32 \[6, 1"),
        ({"label": SOFT[:, :2]}, ValueError, "label must have 3 columns, got 2"),
        ({"label": SOFT * 1.01}, ValueError, "label must have rows that sum to 1, got 1.0"),
        ({"label": SOFT * 2 - 1 / 3}, ValueError, "label must not be negative, got -0.3"),
        ({"label": with_one(SOFT, np.nan)}, ValueError, "label must be finite, got nan in exa.* 4"),
        ({"label": LABEL[:5]}, ValueError, "one length, got {'image': 6, 'label': 5}"),
        ({"label": LABEL.tolist()}, TypeError, r"label must be an array, got \[0, 1"),
        ({"label": np.int32(1)}, TypeError, "label must be an array, got"),
        ({"label": np.array(1)}, ValueError, "label must be an array whose first axis is"),
        ({"image": IMAGE.astype(np.int32)}, TypeError, "image must be uint8 .*, got int32"),
        ({"image": IMAGE.astype(np.int8)}, TypeError, "image must be uint8 .*, got int8"),
        ({"image": IMAGE > 3}, TypeError, "image must be uint8 .*, got bool"),
        ({"image": IMAGE[..., 0]}, ValueError, r"image must be .* got the shape \(6, 4, 4\)"),
        ({"image": SMOOTH[..., 0]}, ValueError, r"or \[n, features\], got the shape \(6, 4, 4\)"),
        ({"image": IMAGE.reshape(6, 16)}, ValueError, r"image must be .* got the shape \(6, 16\)"),
        ({"image": IMAGE[:, :0]}, ValueError, r"image must be .* got the shape \(6, 0, 4, 1\)"),
        ({"image": IMAGE.astype(np.float32)}, ValueError, "float32 with integer values up to 95"),
        ({"image": with_one(SMOOTH, np.nan)}, ValueError, "image must be finite, got nan in .* 4"),
        ({"image": with_one(SMOOTH, -np.inf)}, ValueError, "image must be finite, got -inf in"),
        ({"weight": np.ones(6, complex)}, TypeError, "weight must be floating, integer or bool"),
        ({"weight": with_one(np.ones(6), np.nan)}, ValueError, "weight must be finite, got nan in"),
        ({"weight": np.full(6, 1e38, np.float32)}, ValueError, r"weight must have a sum .* 6e\+38"),
        ({"weight": with_one(np.ones(6), 1e39)}, ValueError, r"weight must .* got 1e\+39"),
        (
            {"label": with_one(LABEL.astype(np.int64), 2**32)},
            ValueError,
            "got 4294967296 in ex.* 4",
        ),
        ({"extra": with_one(SOFT.astype(float), 1e39)}, ValueError, r"fit into float32, .* 1e\+39"),
        (
            {"time": with_one(LABEL.astype(np.uint64), 2**40)},
            ValueError,
            "time must fit into uint32",
        ),
        ({"weight": -np.ones(6)}, ValueError, "weight must not be negative, got -1.0 in example 0"),
        ({"weight": np.ones((6, 1))}, ValueError, r"weight must be \[n\], got .* \(6, 1\)"),
        ({"extra": with_one(SOFT, np.inf)}, ValueError, "extra must be finite, got inf in exam"),
    ],
)
def test_bad_examples(changes, error, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(error, match=message):
        data.check_examples({**GOOD, **changes}, classes=3)


def test_nothing_to_check(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    empty = {name: values[:0] for name, values in GOOD.items()}
    with pytest.raises(ValueError, match="examples must not be empty, got {'image': 0"):
        data.check_examples(empty)
    with pytest.raises(ValueError, match="examples must not be empty, got {}"):
        data.check_examples({})
    with pytest.raises(TypeError, match="examples must be a Mapping, got a list"):
        data.check_examples([IMAGE, LABEL])
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        data.check_examples(GOOD, classes=0)
