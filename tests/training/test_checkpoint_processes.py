"""Two processes write one checkpoint, and each reads its part of it."""

import os
import socket
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, pathlib
process, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)
jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=process)
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtricks.training import restore, save

mesh = Mesh(np.array(jax.devices()), ("data",))
divided, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("data",), ()))
rows = np.arange(16.0, dtype=np.float32).reshape(8, 2)
tree = {
    "divided": jax.make_array_from_process_local_data(divided, rows[4 * process : 4 * process + 4]),
    "same": jax.device_put(np.random.default_rng(0).random(200_000, np.float32), everywhere),
    "key": jax.jit(lambda: jax.random.key(3), out_shardings=everywhere)(),
    "local": jax.numpy.arange(3),
    "host": np.arange(2),
}
for step in (1, 2, 3):
    save(folder, tree, step=step, keep=1, configuration={"a": 1})
    assert (pathlib.Path(folder) / f"{step:08d}" / "manifest.json").exists()
restored = restore(folder, tree, configuration={"a": 1})
assert restored.step == 3
for name, leaf in restored.tree.items():
    want = tree[name]
    if name == "key":
        assert leaf.dtype == want.dtype and leaf.sharding.is_equivalent_to(everywhere, 0)
        leaf, want = jax.random.key_data(leaf), jax.random.key_data(want)
    if isinstance(want, np.ndarray):
        assert isinstance(leaf, np.ndarray) and (leaf == want).all()
        continue
    assert leaf.sharding.is_equivalent_to(want.sharding, leaf.ndim), name
    assert leaf.committed == want.committed, name
    for a, b in zip(leaf.addressable_shards, want.addressable_shards, strict=True):
        assert (np.asarray(a.data) == np.asarray(b.data)).all(), name
try:
    save("/dev/null/run", tree, step=4)
except OSError as error:
    assert "cannot save the tree of step 4 in /dev/null/run" in str(error)
else:
    raise AssertionError("saved below a file")
jax.distributed.shutdown()
print("done", process)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
def test_two_processes_write_one_checkpoint(tmp_path):
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(index), port, str(tmp_path / "run")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        for index in range(2)
    ]
    try:
        for index, process in enumerate(processes):
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0 and f"done {index}" in output, output
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert os.listdir(tmp_path / "run") == ["00000003"]
    size = sum(p.stat().st_size for p in (tmp_path / "run").rglob("*") if p.is_file())
    assert 400_000 < size < 1_600_000
