"""A part of a saved tree is read without the rest."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import training
from tests.untyped import untyped

TREE = {
    "a": {"x": jnp.arange(3.0), "none": None, "empty": jnp.zeros((0, 2))},
    "ab": np.float64([1, 2]),
    "keys": jax.random.split(jax.random.key(1), 2),
    "list": [jnp.ones(2, jnp.bfloat16), 7],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved")
    training.save(path, TREE, step=3)
    return path


@pytest.mark.parametrize(
    "part, want",
    [
        ("", TREE),
        ("['a']", TREE["a"]),
        ("['a']['x']", TREE["a"]["x"]),
        ("['ab']", TREE["ab"]),
        ("['keys']", TREE["keys"]),
        ("['list']", TREE["list"]),
    ],
)
def test_a_part_comes_back_as_from_the_whole(folder, part, want):
    got = training.restore(folder, want, part=part)
    assert got.step == 3
    assert jax.tree.structure(got.tree) == jax.tree.structure(want)
    chex.assert_trees_all_equal(got.tree, want)


@pytest.mark.parametrize("part", ["['b']", "['a", "a", "['a']['y']"])
def test_a_part_that_is_not_there_is_refused(folder, part):
    known = "['a'], ['ab'], ['keys'], ['list']"
    message = f"a path in the checkpoint that begins with one of {known}, got {part!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        training.restore(folder, TREE["a"], part=part)


def test_another_part_is_refused(folder):
    with pytest.raises(ValueError, match=r"like\['x'\]: saved nothing, got float32\[3\]"):
        training.restore(folder, TREE["a"], part="['list']")


def test_a_part_is_a_path(folder):
    with untyped(), pytest.raises(TypeError, match="part must be a str, got 3"):
        training.restore(folder, TREE["a"], part=3)
