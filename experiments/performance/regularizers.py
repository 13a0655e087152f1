"""What do the regularisers cost, beside what they replace or join?

Dropout against Flax's, at sizes from a row of logits to images and at several rates; DropConnect
with one mask for the batch against a dense layer with the same parameters; fractional max-pooling
against max-pooling of pairs to the same output; Adam with the L2 penalty's gradient and with
decoupled decay against Adam alone, on the parameters of ResNet-50. Layers run forward, and forward
and backward. Each ratio is ours over theirs in CPU time, formed within a round; its bound is met if
the quartiles reach down to it.

    python -m experiments.performance.regularizers --out paper_figs/performance/regularizers.json

About 4 minutes on 2 CPU cores.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import optax
from jaxtyping import Array, PyTree

from experiments.performance._duels import DUELS, Duel, Function
from experiments.performance._resnet50 import random_tree, resnet50_shapes
from experiments.performance.timing import Contenders, interleaved, setting, spread, write_record
from experiments.performance.update_rules import apply_rule, on_jax
from jaxtricks import optimizers

PACKAGES = ("jax", "jaxlib", "flax", "optax")
ENTRIES = 2**19  # in all calls of a turn together, so that a turn takes milliseconds
RATE, STRENGTH = 1e-3, 1e-2


def forward(function: Function) -> Callable[..., PyTree]:
    return jax.jit(lambda key, x, slope: function(key, x))


def forward_and_backward(function: Function) -> Callable[..., PyTree]:
    """The value, and the derivative of its product with `slope` by the input."""

    def run(key: Array, x: PyTree, slope: Array) -> PyTree:
        y, pull = jax.vjp(lambda x: function(key, x), x)
        return y, pull(slope)

    return jax.jit(run)


def contenders(duel: Duel) -> tuple[Contenders, int]:
    """Both sides in both directions, and the calls of one turn."""
    key, result = jax.random.key(1), {}
    size = sum(leaf.size for leaf in jax.tree.leaves(duel.their_input))
    calls = max(1, ENTRIES // size)
    for side, function, x in (
        ("ours", duel.ours, duel.our_input),
        ("theirs", duel.theirs, duel.their_input),
    ):
        shape = jax.eval_shape(function, key, x)
        slope = jax.random.normal(jax.random.key(2), shape.shape, shape.dtype)
        for way, make in (("forward", forward), ("forward and backward", forward_and_backward)):
            program = make(function)

            def run(program: Any = program, x: PyTree = x, slope: Array = slope) -> None:
                out = None
                for _ in range(calls):
                    out = program(key, x, slope)
                jax.block_until_ready(out)

            result[f"{side}, {way}"] = run
    return result, calls


def row(
    clocks: Any, names: tuple[str, str], calls: int, bound: float, about: dict[str, str]
) -> dict[str, Any]:
    """One line of the table: `names` are ours and theirs among the contenders."""
    ours, theirs = names
    ratio = spread(clocks.cpu[ours] / clocks.cpu[theirs])
    return {
        **about,
        "cpu_milliseconds": [spread(1e3 / calls * clocks.cpu[name]) for name in names],
        "cpu_ratio": ratio,
        "wall_ratio": spread(clocks.wall[ours] / clocks.wall[theirs]),
        "bound": bound,
        "met": ratio[0] <= bound,
        "load": round(os.getloadavg()[0], 2),
    }


def measure(duel: Duel, rounds: int) -> list[dict[str, Any]]:
    made, calls = contenders(duel)
    clocks = interleaved(made, rounds)
    ways = [name.removeprefix("ours, ") for name in made if name.startswith("ours, ")]
    return [
        row(
            clocks,
            (f"ours, {way}", f"theirs, {way}"),
            calls,
            duel.bound,
            {"part": duel.part, "case": duel.case, "way": way},
        )
        for way in ways
    ]


def measure_decays(rounds: int) -> list[dict[str, Any]]:
    """Whole updates, parameters and state donated."""
    adam, decay = optimizers.adam(RATE), optimizers.add_decoupled_decay(STRENGTH)
    rules = {
        "Adam": adam,
        "L2": optax.chain(optimizers.add_l2(STRENGTH), adam),
        "decoupled decay": optax.chain(
            optimizers.scale_by_adam(), decay, optimizers.gradient_descent(RATE)
        ),
    }
    shapes = resnet50_shapes()
    gradients = random_tree(shapes, 1)

    def training(tx: optax.GradientTransformation) -> Callable[[], None]:
        params = random_tree(shapes, 0)
        return on_jax(apply_rule(tx), (params, tx.init(params)), gradients, 1)

    clocks = interleaved({name: training(tx) for name, tx in rules.items()}, rounds)
    about = {"part": "decay", "way": "update"}
    return [
        row(clocks, (name, "Adam"), 1, 1.05, {**about, "case": f"Adam with {name}"})
        for name in rules
        if name != "Adam"
    ]


def measured(part: str, rounds: int) -> Iterator[dict[str, Any]]:
    if part == "decay":
        yield from measure_decays(rounds)
        return
    for duel in DUELS[part]():
        yield from measure(duel, rounds)


PARTS = (*DUELS, "decay")


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.regularizers")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=30, help="turns of every contender")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS)
    options = parser.parse_args(arguments)
    record = {**setting(PACKAGES), "rounds": options.rounds, "rows": []}
    print(f"{record['device']}, load {record['load']}; ours over theirs in CPU time")
    for part in options.only:
        for found in measured(part, options.rounds):
            record["rows"].append(found)
            low, ratio, high = found["cpu_ratio"]
            verdict = "met" if found["met"] else "MISSED"
            print(
                f"{part}: {found['case']}, {found['way']}: {ratio:.3f} ({low:.3f} to {high:.3f}), "
                f"at most {found['bound']}: {verdict}",
                flush=True,
            )
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    main()
