"""C-077's measure on changes made by hand, and its verdict on planted results."""

import jax
import jax.numpy as jnp
import pytest

from experiments.dropout import are_weights_of_dropped_units_updated as script


@pytest.mark.slow
def test_changes_are_those_of_the_units_own_numbers():
    """Two units: to the first lead 1 and 2, the second's bias changes by 3, its row by 4."""
    before = {
        "Dense_0": {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)},
        "Dense_1": {"kernel": jnp.zeros((2, 1)), "bias": jnp.zeros(1)},
    }
    after = {
        "Dense_0": {"kernel": jnp.array([[1.0, 0.0], [2.0, 0.0]]), "bias": jnp.array([0.0, 3.0])},
        "Dense_1": {"kernel": jnp.array([[0.0], [-4.0]]), "bias": jnp.array([9.0])},
    }
    found = script.changes(before, after, jnp.array([False, True]))
    of = {name: float(value) for name, value in found.items()}
    assert of == {
        "largest": 2.0,
        "square of dropped": (1 + 4) / 4,
        "square of present": (9 + 16) / 4,
        "present without change": 0,
    }
    nothing = script.changes(before, before, jnp.array([False, True]))
    assert float(nothing["largest"]) == 0 and int(nothing["present without change"]) == 1
    assert jax.tree.structure(nothing) == jax.tree.structure(found)


@pytest.mark.parametrize(
    "largest, still, outcome",
    [(0.0, 0, "confirmed"), (1e-30, 0, "refuted"), (0.0, 1, "undecided"), (1.0, 1, "undecided")],
)
def test_any_change_refutes_it_and_a_net_that_does_not_learn_decides_nothing(
    largest, still, outcome
):
    sizes = {"dropped": 0.0, "present": 1.0, "without change": 0}
    found = {
        f"{name}, {form}": {"largest": 0.0, **sizes}
        for name in script.RATES
        for form in ("alone", "frozen")
    }
    found["adam, alone"] |= {"largest": largest, "without change": still}
    (verdict,) = script.judge({"changes": found, "updates": 1, "width": 1})
    assert verdict.outcome == outcome
