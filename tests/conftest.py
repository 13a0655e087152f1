"""Every test sees two CPU devices, strict rank promotion, and quick compilation.

What was compiled is kept in `.pytest_cache`: for the other worker, for processes that tests start,
and for the next run, which is nearly twice as fast. Decoded data sets are kept there too, not in
the user's own cache.
"""

import gc
import itertools
import os
import pathlib
import signal

from experiments.__main__ import QUICK_COMPILATION

COMPILED = pathlib.Path(__file__).parents[1] / ".pytest_cache" / "compiled"
os.environ["XDG_CACHE_HOME"] = str(COMPILED.with_name("user_cache"))
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_COMPILATION}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import chex  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

collect_ignore = ["contracts/eight_devices.py", "tuning/eight_devices.py"]

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

for laws in ("layer_laws", "flax_laws", "kernel_laws"):
    pytest.register_assert_rewrite(f"tests.contracts.{laws}")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored


MAPS = pathlib.Path("/proc/self/maps")  # of Linux
ROOM = 20_000  # of the 65,530 memory maps that a process may have; compiled programs hold most
_tests_run = itertools.count(1)


def pytest_collection_finish():
    """What is there now stays to the end: no collection of garbage walks through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1000)


@pytest.fixture(autouse=True)
def _fresh_trace_counter():
    chex.clear_trace_counter()


@pytest.fixture(autouse=True)
def _room_for_more_programs():
    """A worker that compiles thousands of programs would crash for want of memory maps."""
    yield
    if next(_tests_run) % 16 == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > ROOM:
        jax.clear_caches()
