"""Every test sees two CPU devices and strict rank promotion."""

import chex
import jax
import pytest

collect_ignore = ["eight_devices.py"]

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    chex.clear_trace_counter()
