"""Snapshots: which updates are kept, where cycles end, and that members can predict."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import schedules
from jaxtricks.averaging import cycle_ends, ensemble_predictions, snapshots

INT32_MAX = 2**31 - 1


def kept_steps(averager, updates):
    start, counts = averager.init(jnp.float32(-1)), jnp.arange(updates, dtype=jnp.float32)
    _, kept = jax.lax.scan(lambda state, x: averager.update(x, state)[::-1], start, counts)
    kept = jax.tree.map(lambda leaf: np.asarray(leaf)[-1], kept)
    valid = kept.weights > 0
    assert np.all(np.where(valid, kept.params == kept.steps - 1, kept.params == -1))
    return sorted(kept.steps[valid].tolist())


@pytest.mark.slow
@pytest.mark.parametrize(
    "capacity, at, updates, want",
    [
        (3, cycle_ends(1), 5, [3, 4, 5]),
        (2, cycle_ends(3), 9, [6, 9]),
        (4, cycle_ends(2, multiplier=2), 20, [2, 6, 14]),
        (2, cycle_ends(9), 8, []),
        (2, lambda count: count == 4, 8, [5]),
    ],
)
def test_the_last_snapshots_are_kept(capacity, at, updates, want):
    assert kept_steps(snapshots(capacity, at=at), updates) == want


@pytest.mark.slow
@pytest.mark.parametrize("first, multiplier", [(1, 1), (5, 1), (1, 2), (3, 3)])
def test_cycles_are_those_of_cosine_restarts(first, multiplier):
    """The update after the end of a cycle has the peak rate again."""
    counts = jnp.arange(60)
    restarts = schedules.cosine_restarts(1.0, first, multiplier=multiplier)
    rate = jax.jit(jax.vmap(restarts))(counts + 1)
    ends = jax.jit(jax.vmap(cycle_ends(first, multiplier=multiplier)))(counts)
    assert jnp.array_equal(ends, rate == 1.0) and jnp.any(ends)


def test_cycle_ends_are_exact_to_the_last_count():
    ends = cycle_ends(2**29, multiplier=3)  # 2^29, then 2^31 in all
    assert [bool(ends(jnp.int32(c))) for c in (2**29 - 1, 2**29, INT32_MAX - 1, INT32_MAX)] == [
        True,
        False,
        False,
        True,
    ]
    assert cycle_ends(2**30)(jnp.int32(INT32_MAX))


@pytest.mark.slow
def test_members_predict_and_empty_slots_do_not_count():
    averager = snapshots(3, at=cycle_ends(1))
    state = averager.init({"scale": jnp.float32(jnp.nan)})
    _, state = averager.update({"scale": jnp.float32(1)}, state)
    kept, _ = averager.update({"scale": jnp.float32(3)}, state)
    x = jnp.array([[0.0, 1.0], [2.0, -1.0]])

    @jax.jit
    def predict(kept):
        logits = jax.vmap(lambda params: params["scale"] * x)(kept.params)
        return ensemble_predictions(logits, weights=kept.weights)

    want = (jax.nn.softmax(x) + jax.nn.softmax(3 * x)) / 2
    assert jnp.allclose(jnp.exp(predict(kept)), want, rtol=1e-6)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: snapshots(0, at=cycle_ends(1)), ValueError, "capacity must be at least 1, got 0"),
        (lambda: cycle_ends(0), ValueError, "first_steps must be at least 1, got 0"),
        (lambda: cycle_ends(1, multiplier=0), ValueError, "multiplier must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("leaf", ["abc", print, jnp.float32, np.array("abc")])
def test_what_is_no_array_is_refused_by_name(leaf):
    averager = snapshots(2, at=cycle_ends(1))
    state = averager.init({"w": 1.0})
    with pytest.raises(TypeError, match=r"params\['w'\] must be an array or a number"):
        averager.update({"w": leaf}, state)
