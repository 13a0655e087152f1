"""Bad input: an error that names the argument and the value received, without the type checker."""

import re

import jax
import jaxtyping
import numpy as np
import pytest

from jaxtricks import data

SQUARE = np.eye(2)


@pytest.fixture(autouse=True)
def _without_type_checker(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("use", [data.load, data.available])
@pytest.mark.parametrize("name", [3, None, b"digits"])
def test_bad_name(use, name):
    with pytest.raises(TypeError, match=re.escape(f"name must be a str, got {name!r}")):
        use(name)


@pytest.mark.parametrize("use", [data.load, data.available])
def test_bad_folder(use):
    with pytest.raises(TypeError, match="data_dir must be a path, got 3"):
        use("mnist", data_dir=3)


@pytest.mark.parametrize(
    "name, hint",
    [
        ("diggits", ": did you mean 'digits'? If"),
        ("Digits", ": did you mean 'digits'? If"),
        ("minst", ": did you mean 'mnist'? If"),
        ("cifar10", ". If"),
    ],
)
def test_misspelt_name(name, hint, tmp_path):
    (tmp_path / "mnist" / "1.0.0").mkdir(parents=True)
    (tmp_path / "mnist" / "1.0.0" / "dataset_info.json").touch()
    with pytest.raises(FileNotFoundError) as error:
        data.load(name, data_dir=tmp_path)
    assert str(error.value).startswith(f"{name} is not prepared in {tmp_path}{hint}")
    assert not data.available(name, data_dir=tmp_path)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": "x"}, TypeError, "seed must be an integer, got 'x'"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
        ({"limit": "a"}, TypeError, "limit must be an integer, got 'a'"),
        *(
            case
            for part in ("validation", "test")
            for case in (
                ({part: -0.1}, ValueError, f"{part} must be in [0.0, 1.0), got -0.1"),
                ({part: -1}, ValueError, f"{part} must be at least 0, got -1"),
                ({part: "a"}, TypeError, f"{part} must be a fraction or a number of examples"),
            )
        ),
        ({"validation": None}, TypeError, "or a number of examples, got None"),
    ],
)
@pytest.mark.parametrize("name", ["digits", "not_prepared"])
def test_bad_load_is_refused_before_reading(name, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        data.load(name, **arguments)


def test_a_share_of_test_examples_is_refused_where_there_is_a_test_split():
    with pytest.raises(ValueError, match="test must be None for mnist, which has a test split"):
        data.load("mnist", test=0.1)


@pytest.mark.parametrize("order", ["reshuffle", "cyclic", "with_replacement"])
def test_bad_key(order):
    legacy = jax.random.key_data(jax.random.key(0))
    for key in (0, None, legacy):
        with pytest.raises(TypeError, match="key must be a typed key such as jax.random.key") as e:
            data.epoch_order(key, 3, 1, order=order)
        assert f"got {key!r}" in str(e.value)
    keys = jax.random.split(jax.random.key(0))
    with pytest.raises(ValueError, match=r"key must be one key, got an array .* \(2,\)"):
        data.epoch_order(keys, 3, 1, order=order)
    assert jax.jit(lambda key: data.epoch_order(key, 3, 1))(keys[0]).indices.shape == (3, 1)


@pytest.mark.parametrize(
    "examples, axis, error, message",
    [
        (3.0, 0, ValueError, "axis must name axes of examples, whose shape is (), got 0"),
        (SQUARE, 2, ValueError, "axis must name axes of examples, whose shape is (2, 2), got 2"),
        (SQUARE, -3, ValueError, "axis must be at least -2, got -3"),
        (SQUARE, (), ValueError, "axis must name axes of examples, whose shape is (2, 2), got ()"),
        (SQUARE, (0, -2), ValueError, "axes of examples, whose shape is (2, 2), got (0, -2)"),
        (SQUARE, None, TypeError, "axis must be an integer, got None"),
        (SQUARE, 1.0, TypeError, "axis must be an integer, got 1.0"),
        (SQUARE, "a", TypeError, "axis must be an integer, got 'a'"),
        (None, 0, TypeError, "examples must be real numbers, got object"),
        ("a", 0, TypeError, "examples must be real numbers, got <U1"),
    ],
)
def test_bad_axis(examples, axis, error, message):
    with pytest.raises(error, match=re.escape(message)):
        data.standardize(examples, axis=axis)
