"""Every test sees two CPU devices and strict rank promotion; programs too short to optimise."""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import chex  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

collect_ignore = ["eight_devices.py"]

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    chex.clear_trace_counter()
