"""Every test sees two CPU devices, strict rank promotion, and quick compilation."""

import gc
import os
import signal

from experiments.__main__ import QUICK_COMPILATION

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_COMPILATION}"

import chex  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

collect_ignore = ["eight_devices.py"]

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

gc.set_threshold(50_000, 20, 20)  # tracing leaves many objects that live
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    chex.clear_trace_counter()
