"""What does a step of a residual network cost?

ResNet-20 for images of 32 x 32 x 3 (269,722 parameters), momentum, batch of 128: our compiled step
by either algorithm of the convolution against PyTorch's, with channels last. On a GPU PyTorch
runs under bfloat16 autocast, ours in float32 at JAX's default precision of matrix products. With
`--scans` the steps inside a scan too, which on a CPU is very slow for the native one: the
measurement behind `training.choose_loop`.

    python -m experiments.performance.conv_steps --out paper_figs/performance/conv_steps.json
    python -m experiments.performance.conv_steps --scans --depth 8 --batch 32 \
        --out paper_figs/performance/conv_scans.json

Each about 2 minutes on 2 CPU cores.
"""

import argparse
import functools
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.performance.timing import interleaved, setting, spread, write_record
from jaxtricks import data, models, optimizers, training

PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch")
ALGORITHMS = ("patches", "native")
LENGTH = 4  # steps of a scan


def batch_of(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
    return {"image": image, "label": rng.integers(0, 10, size, dtype=np.int32)}


def prepared(
    algorithm: Any, depth: int, width: int, dtype: Any = None
) -> tuple[training.TrainState, training.Trainer]:
    """The first state and the trainer."""
    net = models.ResNet(depth, width, algorithm=algorithm, dtype=dtype)
    tx = optimizers.momentum(0.1, decay=0.9)
    init = jax.jit(lambda key: net.init(key, jnp.zeros((1, 32, 32, 3)), train=False))
    loss = training.classification_loss(net)
    ours = training.trainer(loss, tx, rng_streams=(), diagnostics=False)
    return ours.init(init(jax.random.key(0))), ours


def our_step(
    algorithm: Any, batch: dict[str, np.ndarray], *size: int, dtype: Any = None, calls: int = 1
) -> Callable[[], None]:
    """State donated, `calls` steps in flight; the images are scaled inside the step."""
    state, ours = prepared(algorithm, *size, dtype=dtype)
    compiled, placed, key = training.jit_step(ours), jax.device_put(batch), jax.random.key(1)

    def run() -> None:
        nonlocal state
        for _ in range(calls):
            state, _ = compiled(state, placed, key)
        jax.block_until_ready(state)

    return run


def our_scan(algorithm: Any, batch: dict[str, np.ndarray], *size: int) -> Callable[[], None]:
    """The same step, `LENGTH` times in a loop of the compiled program."""
    state, ours = prepared(algorithm, *size)
    epoch = jax.jit(functools.partial(training.train_epoch, ours), donate_argnums=0)
    rows = jnp.tile(jnp.arange(len(batch["label"])), (LENGTH, 1))
    order = data.Order(rows, jnp.ones(rows.shape))
    placed, key = jax.device_put(batch), jax.random.key(1)

    def run() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(epoch(state, placed, order, key=key))

    return run


def torch_net(depth: int, width: int) -> Any:
    """The same network: option A's shortcuts, batch norm after each convolution."""
    import torch  # pyrefly: ignore[missing-import]
    from torch import nn  # pyrefly: ignore[missing-import]
    from torch.nn import functional as F  # pyrefly: ignore[missing-import]

    class Block(nn.Module):
        def __init__(self, before: int, after: int, stride: int):
            super().__init__()
            self.stride, self.more = stride, after - before
            self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])

        def forward(self, x: Any) -> Any:
            y = F.relu(self.norms[0](self.first(x)))
            y = self.norms[1](self.second(y))
            x = x[:, :, :: self.stride, :: self.stride]
            return F.relu(y + F.pad(x, (0, 0, 0, 0, 0, self.more)))

    layers: list[Any] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    before = width
    for stage in range(3):
        for block in range((depth - 2) // 6):
            after = width * 2**stage
            layers.append(Block(before, after, 2 if stage and not block else 1))
            before = after
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))
    return net.to(memory_format=torch.channels_last)


def torch_step(
    batch: dict[str, np.ndarray],
    depth: int,
    width: int,
    threads: int,
    *,
    autocast: bool | None = None,
    calls: int = 1,
) -> Callable[[], None]:
    """Channels last; `autocast` is to bfloat16, None on a GPU only."""
    import torch  # pyrefly: ignore[missing-import]

    device = "cuda" if torch.cuda.is_available() else "cpu"
    enabled = device == "cuda" if autocast is None else autocast
    torch.backends.cudnn.benchmark = True  # it chooses among algorithms by time, as XLA does
    net = torch_net(depth, width).to(device)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    criterion = torch.nn.CrossEntropyLoss()
    image = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2)
    image = image.contiguous(memory_format=torch.channels_last).to(device)
    label = torch.from_numpy(batch["label"]).long().to(device)

    def run() -> None:
        if device == "cpu":
            torch.set_num_threads(threads)
        for _ in range(calls):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device, torch.bfloat16, enabled=enabled):
                loss = criterion(net(image.float() / 255), label)
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.conv_steps")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--scans", action="store_true", help="also inside a scan")
    options = parser.parse_args(arguments)
    size = options.depth, options.width
    batch = batch_of(options.batch)
    contenders = {algorithm: our_step(algorithm, batch, *size) for algorithm in ALGORITHMS}
    if importlib.util.find_spec("torch"):
        for threads in range(1, (os.cpu_count() or 1) + 1):
            contenders[f"torch, threads {threads}"] = torch_step(batch, *size, threads)
    scans = {
        f"{algorithm}, scan": our_scan(algorithm, batch, *size)
        for algorithm in ALGORITHMS
        if options.scans
    }
    wall = interleaved(contenders | scans, options.rounds).wall
    for name in scans:
        wall[name] /= LENGTH
    ours = min(ALGORITHMS, key=lambda name: np.median(wall[name]))
    rivals = [name for name in wall if name != ours]
    record = {
        **setting(PACKAGES),
        "batch": options.batch,
        "depth": options.depth,
        "width": options.width,
        "rounds": options.rounds,
        "ours": ours,
        "milliseconds": {name: spread(1e3 * values) for name, values in wall.items()},
        "images_per_second": {n: spread(options.batch / values) for n, values in wall.items()},
        "over_ours": {name: spread(wall[name] / wall[ours]) for name in rivals},
    }
    for key, value in record.items():
        print(f"{key:20} {value}")
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    main()
