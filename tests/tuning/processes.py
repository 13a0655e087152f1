"""Searches as one of two processes: `python processes.py INDEX PORT FOLDER`."""

import pathlib
import sys

import jax
import numpy as np
import pytest

KEY_SEED, TRIALS = 2, 18


def run(key, trial, position, epochs, scale):
    """Noisy gradient descent on a parabola; the position has a key, besides the weights."""
    import jax.numpy as jnp

    if position is None:
        start = jax.random.normal(key, (trial["size"],), jnp.bfloat16)
        position = {"w": start, "key": key, "nothing": jnp.zeros((0, 2))}

    def step(position, _):
        next_key, noise_key = jax.random.split(position["key"])
        w = position["w"].astype(jnp.float32)
        w = w - trial["rate"] * (2 * w + 0.1 * jax.random.normal(noise_key, w.shape))
        return {**position, "w": w.astype(jnp.bfloat16), "key": next_key}, scale * jnp.mean(w**2)

    position, losses = jax.lax.scan(step, position, length=epochs)
    return {"loss": losses}, position


def short(key, trial, scale):
    results, _ = run(key, trial, None, 3, scale)
    return results["loss"][-1]


def find(rungs, folder, **options):
    from jaxtricks import tuning

    space = {"rate": tuning.log_uniform(1e-3, 2.0), "size": tuning.choice((2, 3), static=True)}
    options = {"shared": (np.float32(2.0),), "chunk": 4, "progress": False} | options
    return tuning.search(
        jax.random.key(KEY_SEED),
        short if rungs is None else run,
        space,
        TRIALS,
        rungs=rungs,
        folder=folder,
        **options,
    )


def main():
    index, port, folder = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=index)
    for name, rungs in (("plain", None), ("rungs", (1, 3, 7))):
        found = find(rungs, folder / name)
        columns = {k: v for k, v in found.table.items() if v.dtype != object}
        np.savez(folder / f"{name}-{index}.npz", **columns)
    resumed = find((1, 3, 7), folder / "half", resume=True)
    np.save(folder / f"half-{index}.npy", resumed.table["loss"])
    with pytest.raises(ValueError, match=r"that all processes see, but the processes \[1\]"):
        find(None, folder / "apart" / str(index))
    with pytest.raises(ValueError, match=r"those of the processes \[1\] differ"):
        find(None, folder / "other", shared=(np.float32(index),))
    with pytest.raises(ValueError, match="folder must be given to a search of 2 processes"):
        find(None, None)
    with pytest.raises(ValueError, match="devices must be of this process"):
        find(None, folder / "devices", devices=jax.devices())
    jax.distributed.shutdown()


if __name__ == "__main__":
    main()
