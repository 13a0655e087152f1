"""What does the notes' random search cost as one program?

100 settings of rate and weight decay (002:1009-1041), a 64-128-128-10 ReLU network on digits, Adam,
batches of 32, 5 epochs each. Contenders: `tuning.search`; a compiled step called from Python;
PyTorch with its fused AdamW, with the number of threads that is best for it. Once compiled, and the
first call with nothing cached. Beside: what the search adds to `train_population`, by turns, and
the largest memory after 100 trials and after 1,000.

    python -m experiments.performance.random_search \
        --out paper_figs/performance/random_search.json

About 4 minutes on 2 CPU cores, of which it makes as many devices.
"""

import argparse
import functools
import importlib.util
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.performance.timing import (
    interleaved,
    make_a_device_of_each_core,
    setting,
    spread,
    tell_idle_cores,
    write_record,
)
from jaxtricks import data, models, optimizers, training, tuning

PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch")
WIDTHS = (64, 128, 128, 10)
BATCH, EPOCHS = 32, 5
NET = models.MLP(WIDTHS[1:], activation=nn.relu)
SPACE = {"rate": tuning.log_uniform(1e-5, 1e-2), "decay": tuning.log_uniform(1e-5, 1e-2)}


def settings(trials: int) -> dict[str, jax.Array]:
    """Both from logarithmic scales."""
    rate, decay = jax.random.split(jax.random.key(1))
    return {
        "rate": 10 ** jax.random.uniform(rate, (trials,), minval=-5.0, maxval=-2.0),
        "decay": 10 ** jax.random.uniform(decay, (trials,), minval=-5.0, maxval=-2.0),
    }


def trainer(trial: dict[str, Any]) -> training.Trainer:
    """The trainer of one setting."""
    tx = optax.chain(
        optimizers.scale_by_adam(),
        optimizers.add_decoupled_decay(trial["decay"]),
        optimizers.gradient_descent(trial["rate"]),
    )
    loss = training.classification_loss(NET)
    return training.trainer(loss, tx, rng_streams=(), diagnostics=False)


def start(key: jax.Array, ours: training.Trainer) -> training.TrainState:
    return ours.init(NET.init(key, jnp.zeros((1, WIDTHS[0])), train=False))


def run(key: jax.Array, trial: dict[str, jax.Array], train: Any, held_back: Any) -> Any:
    """Validation accuracy at the end of one trial."""
    init_key, run_key = jax.random.split(key)
    ours = trainer(trial)
    ended = training.run(
        ours,
        start(init_key, ours),
        train,
        held_back,
        key=run_key,
        epochs=EPOCHS,
        batch_size=BATCH,
    )
    return {"accuracy": ended.validation["accuracy"][-1]}


def search(examples: tuple, trials: int) -> Callable[[], tuning.Search]:
    values = jax.tree.map(np.asarray, settings(trials))
    options = {"shared": examples, "by": "accuracy", "largest": True, "progress": False}
    key = jax.random.key(0)
    return lambda: tuning.search(key, run, SPACE, values, chunk=100, **options)


def population(examples: tuple, trials: int) -> Callable[[], Any]:
    keys = jax.random.split(jax.random.key(0), trials)
    values = settings(trials)
    return lambda: training.train_population(run, keys, values, shared=examples)


def peak() -> float:
    """The largest memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def host_loop(examples: tuple, trials: int) -> Callable[[], list[float]]:
    """Rate and decay are arguments of one compiled step; batches are gathered on the device."""
    train, held_back = examples
    keys = jax.random.split(jax.random.key(0), trials)
    values = jax.tree.map(np.asarray, settings(trials))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: Any, trial: Any, rows: jax.Array, key: jax.Array, train: Any) -> Any:
        batch = {name: values[rows] for name, values in train.items()}
        return trainer(trial).step(state, batch, key)[0]

    @jax.jit
    def first(key: jax.Array, trial: Any) -> Any:
        return start(key, trainer(trial))

    judge = trainer({"rate": 0.0, "decay": 0.0})  # the evaluation is that of every setting

    def search() -> list[float]:
        found = []
        for i, key in enumerate(keys):
            trial = jax.tree.map(lambda x, i=i: x[i], values)
            state = first(key, trial)
            rng = np.random.default_rng(i)
            for _ in range(EPOCHS):
                order = rng.permutation(len(train["label"])).astype(np.int32)
                for rows in np.split(order, range(BATCH, len(order), BATCH)):
                    state = step(state, trial, rows, key, train)
            ended = training.evaluate(judge, judge.variables(state), held_back, BATCH)
            found.append(float(ended["accuracy"]))
        return found

    return search


def torch_loop(examples: tuple, trials: int, threads: int) -> Callable[[], list[float]]:
    """The same search in PyTorch, written as its users write it."""
    import torch  # pyrefly: ignore[missing-import]

    def tensors(part: dict[str, np.ndarray]) -> tuple:
        image = torch.from_numpy(np.array(part["image"])).float().reshape(len(part["label"]), -1)
        return image / 255, torch.from_numpy(np.array(part["label"])).long()

    (x, y), (held_x, held_y) = (tensors(part) for part in examples)
    values = jax.tree.map(np.asarray, settings(trials))

    def search() -> list[float]:
        torch.set_num_threads(threads)
        found = []
        for rate, decay in zip(values["rate"], values["decay"], strict=True):
            layers: list[Any] = []
            for before, after in zip(WIDTHS[:-1], WIDTHS[1:], strict=True):
                layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
            net = torch.nn.Sequential(*layers[:-1])
            optimizer = torch.optim.AdamW(
                net.parameters(), float(rate), weight_decay=float(decay), fused=True
            )
            criterion = torch.nn.CrossEntropyLoss()
            for _ in range(EPOCHS):
                for rows in torch.split(torch.randperm(len(y)), BATCH):
                    optimizer.zero_grad(set_to_none=True)
                    criterion(net(x[rows]), y[rows]).backward()
                    optimizer.step()
            with torch.no_grad():
                found.append((net(held_x).argmax(1) == held_y).float().mean().item())
        return found

    return search


def best_threads(examples: tuple) -> int:
    """How many threads PyTorch runs this fastest with, by a tenth of the search."""
    counts = range(1, (os.cpu_count() or 1) + 1)
    short = {str(n): torch_loop(examples, 5, n) for n in counts}
    wall = interleaved(short, 3).wall
    return int(min(wall, key=lambda name: np.median(wall[name])))


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.random_search")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--overhead-rounds", type=int, default=30)
    parser.add_argument("--many", type=int, default=1000, help="trials for the memory")
    options = parser.parse_args(arguments)
    digits = data.load("digits")
    flat = (
        {**split, "image": split["image"].reshape(len(split["label"]), -1)}
        for split in (digits.train, digits.validation)
    )
    examples = tuple(jax.device_put(part, jax.devices()[0]) for part in flat)
    tell_idle_cores()
    ours = search(examples, options.trials)
    jax.block_until_ready(jnp.ones(2) + 1)  # the first compilation of a process is slow
    begin = time.perf_counter()
    accuracies = ours().table["accuracy"]
    first_call = time.perf_counter() - begin
    few = peak()
    search(examples, options.many)()
    many = peak()
    alone = {"search": ours, "population": population(examples, options.trials)}
    overhead = interleaved(alone, options.overhead_rounds).wall
    contenders: dict[str, Any] = {"ours": ours, "host loop": host_loop(examples, options.trials)}
    threads = None
    if importlib.util.find_spec("torch") and jax.default_backend() == "cpu":
        threads = best_threads(examples)
        contenders["torch"] = torch_loop(examples, options.trials, threads)
    wall = interleaved(contenders, options.rounds).wall
    rivals = [name for name in contenders if name != "ours"]
    record = {
        **setting(PACKAGES),
        "devices": len(jax.devices()),
        "cores": os.cpu_count(),
        "trials": options.trials,
        "epochs": EPOCHS,
        "rounds": options.rounds,
        "torch_threads": threads,
        "best_accuracy": round(float(np.max(accuracies)), 4),
        "seconds": {name: spread(values) for name, values in wall.items()},
        "first_call_seconds": round(first_call, 3),
        "over_ours": {name: spread(wall[name] / wall["ours"]) for name in rivals},
        "over_first_call": {name: spread(wall[name] / first_call) for name in rivals},
        "search_over_population": spread(overhead["search"] / overhead["population"]),
        "overhead_rounds": options.overhead_rounds,
        "peak_mebibytes": {str(options.trials): round(few), str(options.many): round(many)},
    }
    for key, value in record.items():
        print(f"{key:20} {value}")
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    make_a_device_of_each_core()
    main()
