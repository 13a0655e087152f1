"""How long does one update of ResNet-50's parameters take?

For every rule, in turn: ours, optax's, PyTorch's fused or grouped one (CPU only, where torch is
installed), a floor that reads and writes the same arrays and does little more than add them up, and
a copy of the parameters. 161 leaves, 25,557,032 floats; parameters and state are donated.

    python -m experiments.performance.update_rules --out paper_figs/performance/update_rules.json
    python -m experiments.performance.update_rules --calls 20 --smallest-leaf 1000000    on a GPU

About 4 minutes on 2 CPU cores.
"""

import argparse
import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree

from experiments.performance._resnet50 import (
    Shapes,
    leaves_from,
    random_tree,
    resnet50_shapes,
    tree_bytes,
)
from experiments.performance._rules import RULES, Rule
from experiments.performance.timing import (
    Contenders,
    interleaved,
    setting,
    spread,
    write_record,
)

PACKAGES = ("jax", "jaxlib", "optax", "torch")
COPY_MOVES = 2  # arrays: one read, one written
HEAD = f"{'':22} {'ours':>8} {'optax':>8} {'floor':>8} {'torch':>8} {'copy':>8}   optax/ours"


def apply_rule(tx: optax.GradientTransformation) -> Callable[..., PyTree]:
    """One update as one program: `(params, state), gradients -> params, state`."""

    def update(carry: PyTree, gradients: PyTree) -> PyTree:
        params, state = carry
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return update


def apply_floor(rule: Rule) -> Callable[..., PyTree]:
    """The same reads and writes with next to no arithmetic, which XLA cannot leave out."""

    def update(carry: PyTree, gradients: PyTree) -> PyTree:
        params, moments = carry
        leaves = jax.tree.map(rule.floor, params, gradients, *moments)
        trees = jax.tree.transpose(
            jax.tree.structure(params), jax.tree.structure((0,) * (1 + len(moments))), leaves
        )
        return trees[0], trees[1:]

    return update


def on_jax(
    update: Callable[..., PyTree], carry: PyTree, gradients: PyTree, calls: int
) -> Callable[[], None]:
    """Updates its carry in place, `calls` times."""
    step = jax.jit(update, donate_argnums=0)

    def run() -> None:
        nonlocal carry
        for _ in range(calls):
            carry = step(carry, gradients)
        jax.block_until_ready(carry)

    return run


def copying(source: PyTree, calls: int) -> Callable[[], None]:
    """Copies a tree over another one: the result goes into the donated target."""
    target = jax.tree.map(jnp.copy, source)
    copy = jax.jit(lambda old, new: jax.tree.map(jnp.copy, new), donate_argnums=0, keep_unused=True)

    def run() -> None:
        nonlocal target
        for _ in range(calls):
            target = copy(target, source)
        jax.block_until_ready(target)

    return run


def on_torch(rule: Rule, shapes: Shapes, calls: int) -> Callable[[], None]:
    """PyTorch's optimizer on the same numbers."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or its threads spin into our turn
    torch: Any = importlib.import_module("torch")
    values, gradients = (random_tree(shapes, seed).values() for seed in (0, 1))
    params = [torch.from_numpy(np.array(value)).requires_grad_() for value in values]
    for param, gradient in zip(params, gradients, strict=True):
        param.grad = torch.from_numpy(np.array(gradient))
    optimizer = rule.torch(torch.optim, params)

    def run() -> None:
        for _ in range(calls):
            optimizer.step()

    return run


def contenders(rule: Rule, shapes: Shapes, calls: int) -> Contenders:
    """Everything that is measured for one rule, each on buffers of its own."""
    gradients = random_tree(shapes, 1)

    def training(tx: optax.GradientTransformation) -> Callable[[], None]:
        params = random_tree(shapes, 0)
        return on_jax(apply_rule(tx), (params, tx.init(params)), gradients, calls)

    zeros = tuple(jax.tree.map(jnp.zeros_like, gradients) for _ in range(rule.moments))
    result = {
        "ours": training(rule.ours()),
        "optax": training(rule.optax()),
        "floor": on_jax(apply_floor(rule), (random_tree(shapes, 0), zeros), gradients, calls),
    }
    if jax.default_backend() == "cpu" and importlib.util.find_spec("torch"):
        result["torch"] = on_torch(rule, shapes, calls)
    return {**result, "copy": copying(random_tree(shapes, 0), calls)}


def measure(rule: Rule, shapes: Shapes, rounds: int, calls: int) -> dict[str, Any]:
    """Quartiles of the milliseconds of an update and of the ratios within a round."""
    wall, cpu = interleaved(contenders(rule, shapes, calls), rounds)
    size = tree_bytes(shapes)
    moved = rule.arrays_moved * size
    rivals = [name for name in wall if name not in ("ours", "copy")]
    return {
        "bytes": moved,
        "milliseconds": {name: spread(1e3 / calls * times) for name, times in wall.items()},
        "cpu_milliseconds": {name: spread(1e3 / calls * times) for name, times in cpu.items()},
        "over_ours": {name: spread(wall[name] / wall["ours"]) for name in rivals},
        "cpu_over_ours": {name: spread(cpu[name] / cpu["ours"]) for name in rivals},
        "gigabytes_per_second": spread(1e-9 * moved * calls / wall["ours"]),
        "share_of_copy": spread(moved / (COPY_MOVES * size) * wall["copy"] / wall["ours"]),
    }


def row(name: str, result: dict[str, Any]) -> str:
    """One line for the terminal: medians, and the ratio with its quartiles."""
    times = result["milliseconds"]
    cells = (f"{times[who][1]:8.2f}" if who in times else f"{'':8}" for who in HEAD.split()[:5])
    low, ratio, high = result["over_ours"]["optax"]
    return f"{name:22} {' '.join(cells)}   {ratio:.3f} ({low:.3f} to {high:.3f})"


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.update_rules")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=30, help="turns of every contender")
    parser.add_argument("--calls", type=int, default=1, help="updates in flight in a turn")
    parser.add_argument("--smallest-leaf", type=int, default=0, help="bytes; without the smaller")
    parser.add_argument("--only", nargs="+", default=list(RULES), choices=list(RULES))
    options = parser.parse_args(arguments)
    shapes = leaves_from(resnet50_shapes(), options.smallest_leaf)
    record = {
        **setting(PACKAGES),
        "leaves": len(shapes),
        "floats": tree_bytes(shapes) // 4,
        "rounds": options.rounds,
        "calls": options.calls,
        "rules": {},
    }
    print(f"{record['device']}, load {record['load']}, milliseconds per update\n{HEAD}")
    for name in options.only:
        result = measure(RULES[name], shapes, options.rounds, options.calls)
        record["rules"][name] = {**result, "load": round(os.getloadavg()[0], 2)}
        print(row(name, result), flush=True)
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    main()
