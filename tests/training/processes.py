"""Run in each of two processes of two devices: one run in one folder, then one epoch more.

Each process reads the rows of its own devices only, from a source that notes what it is asked for.
"""

import pathlib
import sys

import jax
import numpy as np

from jaxtricks.data import epoch_order, stream
from jaxtricks.optimizers import momentum
from jaxtricks.training import data_sharding, fit
from tests.training.nets import Net, examples, start

TRAIN, VALIDATION = examples(40), examples(18, seed=1)
SETTINGS = {"batch_size": 16, "loop": "host", "progress": False}


class Rows:
    """A source without arrays of its own."""

    def __init__(self, columns):
        self.columns, self.asked = columns, []

    def __len__(self):
        return len(self.columns["label"])

    def __getitem__(self, indices):
        self.asked.append(np.asarray(indices).tolist())
        return {name: values[indices] for name, values in self.columns.items()}


def run_key():
    """Made when it is asked for: before that JAX must not be used."""
    return jax.random.key(3)


def parts():
    """A trainer and a state: batch norm, dropout and momentum."""
    return start(Net(rate=0.3, batch_norm=True), momentum(0.1, decay=0.9))


@jax.jit
def numbers(epoch):
    """The numbers of the examples in each step of an epoch."""
    key = jax.random.fold_in(jax.random.split(run_key())[0], epoch)
    return epoch_order(key, 40, 16, remainder="weight").indices


def own_batches(epoch):
    """Those of this process."""
    return np.split(np.asarray(numbers(epoch)), 2, 1)[jax.process_index()].tolist()


def train(trainer, state, epochs, folder, *, resume):
    """Trains, and checks what was read, by two threads in any order."""
    source = Rows(TRAIN)
    end = fit(
        trainer,
        state,
        source,
        VALIDATION,
        key=run_key(),
        epochs=epochs,
        sharding=data_sharding(),
        folder=folder,
        resume=resume,
        **SETTINGS,
    )
    steps = own_batches(2) if resume else own_batches(0) + own_batches(1)
    assert sorted(source.asked[-len(steps) :]) == sorted(steps)
    checks = source.asked[: -len(steps)]
    assert set(sum(checks, [])) <= set(range(16)), checks
    return end


def check_stream():
    """Without arguments, a stream gives this process its part of each batch."""
    key = jax.random.split(run_key())[0]
    batches = stream(TRAIN, key=key, batch_size=16, epochs=1)
    for batch, rows in zip(batches, own_batches(0), strict=True):
        np.testing.assert_array_equal(batch["image"], TRAIN["image"][rows])


def main():
    index, port, folder = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=index)
    trainer, state = parts()
    train(trainer, state, 2, folder / "run", resume=False)
    end = train(trainer, state, 3, folder / "run", resume=True)
    check_stream()
    np.savez(folder / f"end{index}.npz", *map(np.asarray, jax.tree.leaves(end.state)))
    jax.distributed.shutdown()


if __name__ == "__main__":
    main()
