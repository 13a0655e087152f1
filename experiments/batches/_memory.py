"""The update of a full batch in several ways: the bytes that it holds, and what it makes."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxtricks import optimizers, training

ARMS = ("full batch", "all gradients kept", "in parts", "one by one")


def trainer(loss: training.Loss, rule: Any, parts: int = 1) -> training.Trainer:
    """Takes a batch in so many parts, without diagnostics."""
    return training.trainer(loss, rule, accumulate=parts, diagnostics=False)


def bytes_of_updates(
    loss: training.Loss,
    rule: Any,
    state: training.TrainState,
    examples: dict,
    sizes: Sequence[int],
    part: int,
) -> dict[str, list[int]]:
    """Bytes that an update over each number of examples holds, in batches of `part`."""
    rows = {arm: [] for arm in ARMS}
    for size in sizes:
        parts = size // part
        steps = {
            "full batch": trainer(loss, rule).step,
            "in parts": trainer(loss, rule, parts).step,
            "all gradients kept": keep_all(loss, rule, parts),
        }
        for arm, step in steps.items():
            rows[arm].append(program_bytes(step, state, examples, size))
        gradual = trainer(loss, optimizers.accumulate(rule, parts))
        gathering = gradual.init(training.variables(state))
        rows["one by one"].append(program_bytes(gradual.step, gathering, examples, part))
    return rows


def keep_all(loss: training.Loss, rule: Any, parts: int) -> Callable:
    """The note read to the letter: stores the gradient of every part, then takes the plain mean."""

    def step(state: training.TrainState, batch: dict, key: jax.Array) -> Any:
        def mean_loss(params: Any, part: dict) -> jax.Array:
            losses = loss(params, {}, part, {"dropout": key}, train=True)[0]
            weight = part.get("weight", jnp.ones_like(losses))
            return jnp.sum(weight * losses) / jnp.sum(weight)

        split = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), batch)
        stored = jax.lax.map(lambda part: jax.grad(mean_loss)(state.params, part), split)
        stored = jax.lax.optimization_barrier(stored)
        mean = jax.tree.map(lambda g: jnp.mean(g, axis=0), stored)
        updates, opt_state = rule.update(mean, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return dataclasses.replace(state, params=params, opt_state=opt_state), {}

    return step


def program_bytes(step: Callable, state: Any, examples: dict, size: int) -> int:
    """Bytes that the compiled step holds, its state donated, for a batch of `size` examples."""
    batch = {
        name: jax.ShapeDtypeStruct((size, *values.shape[1:]), values.dtype)
        for name, values in examples.items()
    }
    lowered = jax.jit(step, donate_argnums=0).lower(state, batch, jax.random.key(0))
    used = lowered.compile().memory_analysis()
    if used is None:
        raise RuntimeError("this backend does not say how much memory a program takes.")
    held = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    return held + used.temp_size_in_bytes


def differences(
    loss: training.Loss, rule: Any, state: training.TrainState, examples: dict, part: int
) -> dict[str, float]:
    """Largest difference in a parameter from the full batch's update, after one update."""
    size = len(examples["label"]) // part * part
    whole = {name: values[:size] for name, values in examples.items()}
    gradual = optimizers.accumulate(rule, size // part)
    full, parted = (jax.jit(trainer(loss, rule, parts).step) for parts in (1, size // part))
    kept = jax.jit(keep_all(loss, rule, size // part))

    @jax.jit
    def streamed(batch: dict) -> training.TrainState:
        def gradient(params: Any, piece: dict) -> Any:
            losses, _ = loss(params, {}, piece, {}, train=True)
            mass = jnp.sum(piece["weight"])
            return jnp.sum(piece["weight"] * losses) / mass, mass

        def body(opt_state: Any, piece: dict) -> Any:
            slope, mass = jax.grad(gradient, has_aux=True)(state.params, piece)
            updates, opt_state = gradual.update(slope, opt_state, state.params, weight=mass)
            return opt_state, updates

        pieces = jax.tree.map(lambda x: x.reshape(size // part, part, *x.shape[1:]), batch)
        _, updates = jax.lax.scan(body, gradual.init(state.params), pieces)
        return optax.apply_updates(state.params, jax.tree.map(lambda u: u[-1], updates))

    out = {}
    for name, missing in (("whole", 0), ("ragged", part // 2)):
        batch = {**whole, "weight": np.float32(np.arange(size) < size - missing)}
        target = full(state, batch, jax.random.key(0))[0].params
        found = {
            "all gradients kept": kept(state, batch, jax.random.key(0))[0].params,
            "in parts": parted(state, batch, jax.random.key(0))[0].params,
            "one by one": streamed(batch),
        }
        for arm, params in found.items():
            out[f"{arm}, {name}"] = distance(params, target)
    return out


def distance(params: Any, target: Any) -> float:
    """The largest difference of two entries."""
    trees = (jax.device_get(jax.tree.leaves(tree)) for tree in (params, target))
    return max(float(np.abs(a - b).max()) for a, b in zip(*trees, strict=True))
