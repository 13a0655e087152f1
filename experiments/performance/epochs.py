"""What does an epoch of a small network cost, and what do sixteen seeds cost?

The notes' network (784-256-128-64-32-10, two dropout layers of 0.5, 000:49-55) with Adam on 60,000
images of MNIST's shape, batches of 128, the last one ragged; the examples lie on the device as
uint8. Contenders: the epoch as one scan; the same step called from Python, which gathers its batch
on the device, or is given one that NumPy gathered; PyTorch with its fused Adam (CPU only, where
torch is installed), with the number of threads that is best for it. The bound is a scan of the
step's matrix products and nothing else; the peak that of one large product. Then 16 seeds as one
program over one.

    python -m experiments.performance.epochs --out paper_figs/performance/epochs.json

About 4 minutes on 2 CPU cores.
"""

import argparse
import functools
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.performance.timing import (
    interleaved,
    make_a_device_of_each_core,
    setting,
    spread,
    tell_idle_cores,
    write_record,
)
from jaxtricks import data, models, optimizers, training

PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch")
WIDTHS = (784, 256, 128, 64, 32, 10)
BATCH = 128
SIDE = 2048


def arrays(size: int) -> dict[str, np.ndarray]:
    """Random images and labels: what they show has no influence on the time."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, 28, 28, 1), dtype=np.uint8)
    return {"image": image, "label": rng.integers(0, 10, size, dtype=np.int32)}


def parts(
    shape: tuple[int, ...], net: nn.Module | None = None
) -> tuple[Callable, training.Trainer]:
    """`start(key)`, which makes a state for images of a shape, and the trainer."""
    net = net or models.tensorflow_mlp()
    loss = training.classification_loss(net)
    ours = training.trainer(loss, optimizers.adam(1e-3), diagnostics=False)

    @jax.jit
    def start(key: jax.Array) -> training.TrainState:
        return ours.init(net.init(key, jnp.zeros((1, *shape)), train=False))

    return start, ours


def our_epoch(examples: dict[str, jax.Array], net: nn.Module | None = None) -> Callable[[], None]:
    """The whole epoch is one program."""
    start, ours = parts(examples["image"].shape[1:], net)
    epoch = jax.jit(functools.partial(training.train_epoch, ours), donate_argnums=0)
    state, key, order = start(jax.random.key(0)), jax.random.key(1), order_of(examples)

    def run() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(epoch(state, examples, order, key=key))

    return run


def host_loop(examples: dict[str, jax.Array], net: nn.Module | None = None) -> Callable[[], None]:
    """Python calls a compiled step, which gathers its batch on the device."""
    start, ours = parts(examples["image"].shape[1:], net)
    state, key, order = start(jax.random.key(0)), jax.random.key(1), order_of(examples)
    rows = list(zip(*order, strict=True))

    @functools.partial(jax.jit, donate_argnums=0)
    def compiled(state: Any, examples: Any, indices: Any, weights: Any, key: Any) -> Any:
        return ours.step(state, data.take_batch(examples, indices, weights), key)

    def run() -> None:
        nonlocal state
        for indices, weights in rows:
            state, _ = compiled(state, examples, indices, weights, key)
        jax.block_until_ready(state)

    return run


def numpy_loop(examples: dict[str, np.ndarray], order: data.Order) -> Callable[[], None]:
    """The loop as it is mostly written: NumPy gathers a batch, a compiled step takes it."""
    start, ours = parts(examples["image"].shape[1:])
    state, key = start(jax.random.key(0)), jax.random.key(1)
    rows, compiled = jax.device_get(list(zip(*order, strict=True))), training.jit_step(ours)

    def run() -> None:
        nonlocal state
        for indices, weights in rows:
            batch = {name: values[indices] for name, values in examples.items()}
            state, _ = compiled(state, {**batch, "weight": weights}, key)
        jax.block_until_ready(state)

    return run


def order_of(examples: dict[str, jax.Array]) -> data.Order:
    size = len(examples["label"])
    return data.epoch_order(jax.random.key(2), size, BATCH, remainder="weight")


def torch_epoch(examples: dict[str, np.ndarray], threads: int) -> Callable[[], None]:
    """The same work in PyTorch, written as its users write it."""
    import torch  # pyrefly: ignore[missing-import]

    layers: list[Any] = []
    for i, (before, after) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], strict=True)):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(0.5)] if i < 2 else []
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
    criterion = torch.nn.CrossEntropyLoss()
    image = torch.from_numpy(examples["image"]).reshape(len(examples["label"]), -1)
    label = torch.from_numpy(examples["label"]).long()

    def run() -> None:
        torch.set_num_threads(threads)
        order = torch.randperm(len(label))
        for rows in torch.split(order, BATCH):
            optimizer.zero_grad(set_to_none=True)
            criterion(net(image[rows].float() / 255), label[rows]).backward()
            optimizer.step()

    return run


def population(
    examples: dict[str, jax.Array], seeds: int, net: nn.Module | None = None, **how: Any
) -> Callable[[], None]:
    """An epoch of every seed in one program; each seed has its own order and its own draws."""
    keys = jax.random.split(jax.random.key(3), seeds)
    run = one_seed(examples["image"].shape[1:], net)

    def all_seeds() -> None:
        training.train_population(run, keys, (), shared=(examples,), **how)

    return all_seeds


@functools.cache
def one_seed(shape: tuple[int, ...], net: nn.Module | None = None) -> Callable[..., jax.Array]:
    start, ours = parts(shape, net)

    def run(key: jax.Array, nothing: tuple, examples: dict[str, jax.Array]) -> jax.Array:
        del nothing
        init_key, order_key, step_key = jax.random.split(key, 3)
        order = data.epoch_order(order_key, len(examples["label"]), BATCH, remainder="weight")
        _, metrics = training.train_epoch(ours, start(init_key), examples, order, key=step_key)
        return training.mean_over_steps(metrics)["loss"]

    return run


def products_alone(steps: int) -> Callable[[], None]:
    """The products of an epoch, forward and backward, with a sum in place of the rule."""
    shapes = list(zip(WIDTHS[:-1], WIDTHS[1:], strict=True))
    kernels, batch = [jnp.full(shape, 0.01) for shape in shapes], jnp.ones((BATCH, WIDTHS[0]))

    def body(kernels: list[jax.Array], _: None) -> tuple[list[jax.Array], None]:
        inputs = [batch]
        for kernel in kernels:
            inputs.append(inputs[-1] @ kernel)
        sent, after = inputs.pop(), []
        for i in reversed(range(len(kernels))):
            after.append(kernels[i] + 1e-9 * inputs[i].T @ sent)
            sent = sent @ kernels[i].T if i else sent
        return after[::-1], None

    epoch = jax.jit(lambda kernels: jax.lax.scan(body, kernels, None, length=steps)[0])
    return lambda: jax.block_until_ready(epoch(kernels))


def matrix_product() -> Callable[[], None]:
    square = jnp.ones((SIDE, SIDE))
    product = jax.jit(lambda x: x @ x)
    return lambda: jax.block_until_ready(product(square))


def floating_point_operations(size: int) -> int:
    """Of the matrix products of an epoch: forward, and twice backward but for the input."""
    products = [a * b for a, b in zip(WIDTHS[:-1], WIDTHS[1:], strict=True)]
    return 2 * -(-size // BATCH) * BATCH * (3 * sum(products) - products[0])


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.epochs")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each")
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=16, help="that train as one program")
    options = parser.parse_args(arguments)
    tell_idle_cores()
    on_host = arrays(options.examples)
    on_device = jax.device_put(on_host, jax.devices()[0])
    contenders = {
        "scan": our_epoch(on_device),
        "host loop": host_loop(on_device),
        "host loop, NumPy": numpy_loop(on_host, order_of(on_device)),
    }
    if importlib.util.find_spec("torch") and jax.default_backend() == "cpu":
        for threads in range(1, (os.cpu_count() or 1) + 1):
            contenders[f"torch, threads {threads}"] = torch_epoch(on_host, threads)
    contenders |= {
        "one seed": population(on_device, 1),
        "seeds": population(on_device, options.seeds),
    }
    contenders["products alone"] = products_alone(-(-options.examples // BATCH))
    contenders["product"] = matrix_product()
    wall = interleaved(contenders, options.rounds).wall
    torches = [name for name in wall if name.startswith("torch")]
    best = sorted(torches, key=lambda name: np.median(wall[name]))[:1]
    others = ("host loop", "host loop, NumPy", "products alone", *best)
    peak = 2 * SIDE**3 / wall["product"]
    record = {
        **setting(PACKAGES),
        "examples": options.examples,
        "rounds": options.rounds,
        "seeds": options.seeds,
        "devices": len(jax.devices()),
        "seconds": {name: spread(values) for name, values in wall.items()},
        "over_ours": {name: spread(wall[name] / wall["scan"]) for name in others},
        "peak_gigaflops": spread(peak / 1e9),
        "share_of_peak": spread(floating_point_operations(options.examples) / wall["scan"] / peak),
        "seeds_over_one": spread(wall["seeds"] / wall["one seed"]),
        "seeds_over_scan": spread(wall["seeds"] / wall["scan"]),
    }
    for key, value in record.items():
        print(f"{key:16} {value}")
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    make_a_device_of_each_core()
    main()
