"""What does a scanned trajectory save over a loop in Python?

Adam on Beale's function from its start, 64 learning rates at once: `trajectory` under `vmap` is one
program, the loop calls a compiled step. Both keep every point.

    python -m experiments.performance.trajectories --out paper_figs/performance/trajectories.json

Seconds on 2 CPU cores.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.performance.timing import interleaved, setting, spread, write_record
from jaxtricks.optimizers import adam
from jaxtricks.surfaces import beale, trajectory

PACKAGES = ("jax", "jaxlib", "optax")
SURFACE = beale()
Points = Float[Array, "rates points 2"]


def rates(number: int) -> Float[Array, " rates"]:
    return jnp.logspace(-4, -1, number)


def compile_scan(number: int, steps: int) -> Callable[[], Points]:
    """All rates and steps as one compiled program."""

    def points(rate: Float[Array, ""]) -> Float[Array, "points 2"]:
        return trajectory(adam(rate), SURFACE, SURFACE.start, steps).points

    values = rates(number)
    program = jax.jit(jax.vmap(points)).lower(values).compile()
    return lambda: program(values)


def compile_loop(number: int, steps: int) -> Callable[[], Points]:
    """One compiled step for all rates, called from Python."""

    def step(rate, x, state):
        updates, state = adam(rate).update(jax.grad(SURFACE)(x), state, x)
        return optax.apply_updates(x, updates), state

    values = rates(number)
    start = jnp.broadcast_to(jnp.asarray(SURFACE.start), (number, 2))
    first = jax.vmap(lambda rate, x: adam(rate).init(x))(values, start)
    program = jax.jit(jax.vmap(step)).lower(values, start, first).compile()

    def run() -> Points:
        x, state, path = start, first, [start]
        for _ in range(steps):
            x, state = program(values, x, state)
            path.append(x)
        return jnp.stack(path, axis=1)

    return run


def timed(make: Callable[[int, int], Callable], number: int, steps: int) -> tuple[Callable, float]:
    start = time.perf_counter()
    program = make(number, steps)
    return program, time.perf_counter() - start


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.trajectories")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rates", type=int, default=64)
    options = parser.parse_args(arguments)
    size = options.rates, options.steps
    jax.block_until_ready(jnp.stack([rates(2)]) + 1)  # the first compilation of a process is slow
    made = {"scan": timed(compile_scan, *size), "loop": timed(compile_loop, *size)}
    gap = jnp.abs(made["scan"][0]() - made["loop"][0]()).max()
    runs = {
        name: lambda program=program: jax.block_until_ready(program())
        for name, (program, _) in made.items()
    }
    wall = interleaved(runs, options.rounds).wall
    record = {
        **setting(PACKAGES),
        "rates": options.rates,
        "steps": options.steps,
        "rounds": options.rounds,
        "compile_seconds": {name: round(seconds, 3) for name, (_, seconds) in made.items()},
        "microseconds_per_step": {n: spread(1e6 * t / options.steps) for n, t in wall.items()},
        "loop_over_scan": spread(np.divide(wall["loop"], wall["scan"])),
        "largest_difference": float(gap),
    }
    for key, value in record.items():
        print(f"{key:24} {value}")
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    main()
