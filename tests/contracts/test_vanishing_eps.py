"""An epsilon that float32 rounds to 0 is one of 0: no gradient makes no update."""

import jax
import jax.numpy as jnp
import pytest

from tests.cases.build import build
from tests.cases.transforms import TRANSFORMS
from tests.presets import cases as presets

NAMES = ("eps", "epsilon")
CASES = {
    name: case
    for name, case in {**TRANSFORMS, **presets.TRANSFORMS}.items()
    if not set(NAMES).isdisjoint(case.hyper)
}
TINY = (1e-50, 1e-42, 0.0)  # rounded to 0, flushed to 0, and 0 itself


@pytest.mark.slow
@pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("name", CASES)
def test_no_gradient_is_no_update_however_small_epsilon_is(name, jitted):
    case, params = CASES[name], jnp.zeros(2)
    for eps in TINY:
        tx = build(case, **{key: eps for key in NAMES if key in case.hyper})
        update = jax.jit(tx.update) if jitted else tx.update
        updates, _ = update(jnp.zeros(2), tx.init(params), params, **case.extra)
        assert jnp.array_equal(updates, jnp.zeros(2)), eps
