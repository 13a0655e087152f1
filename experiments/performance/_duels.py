"""Each regulariser, what it is measured against, and how much slower it may be."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import flax.linen as nn
import jax
from jaxtyping import Array, PyTree

from jaxtricks import regularizers

Function = Callable[[Array, PyTree], Array]  # of a key and of what is differentiated

SIZES = (
    (16, 16),
    (32, 64),
    (128, 10),
    (128, 800),
    (1024, 1024),
    (128, 28, 28, 1),
    (128, 32, 32, 3),
    (128, 7, 7, 64),
)
RATES = (0.1, 0.2, 0.25, 0.5, 0.9)
POOLINGS = ((32, 25, 16), (32, 12, 64))  # batch, rows and columns of the output, channels
WAYS = (  # ratio, overlapping, pseudo-random
    (2.0, False, True),
    (2.0, True, True),
    (2**0.5, False, True),
    (2**0.5, True, True),
    (2**0.5, True, False),
)
UNITS, BATCHES, CONNECTION_RATES = 800, {128: 2.6, 1024: 1.3}, (0.1, 0.5)  # batch: bound


class Duel(NamedTuple):
    """One of ours, the other that it is measured against, and how much slower it may be."""

    part: str
    case: str
    ours: Function
    theirs: Function
    our_input: PyTree
    their_input: PyTree
    bound: float


def layer_call(layer: nn.Module, **how: bool) -> Function:
    """A layer without parameters that draws from the stream `"dropout"`."""
    return lambda key, x: layer.apply({}, x, rngs={"dropout": key}, **how)


def dropout_duels() -> Iterator[Duel]:
    for shape in SIZES:
        x = jax.random.normal(jax.random.key(0), shape)
        for rate in RATES:
            ours = layer_call(regularizers.Dropout(rate), train=True)
            theirs = layer_call(nn.Dropout(rate), deterministic=False)
            case = f"{' × '.join(map(str, shape))}, rate {rate}"
            yield Duel("dropout", case, ours, theirs, x, x, 1.1)


def max_pool_of_pairs(key: Array, x: Array) -> Array:
    del key
    return nn.max_pool(x, (2, 2), (2, 2))


def pooling_duels() -> Iterator[Duel]:
    """Max-pooling of pairs makes the same output of an image twice as high and wide."""
    for batch, side, channels in POOLINGS:
        pairs = jax.random.normal(jax.random.key(0), (batch, 2 * side, 2 * side, channels))
        for ratio, overlapping, pseudo_random in WAYS:
            rows = math.floor(side * ratio) + overlapping
            x = jax.random.normal(jax.random.key(0), (batch, rows, rows, channels))
            how = {"overlapping": overlapping, "pseudo_random": pseudo_random}
            ours = functools.partial(regularizers.fractional_max_pool, ratio=ratio, **how)
            case = (
                f"{rows} × {rows} to {side} × {side} × {channels}, "
                f"{'pseudo-random' if pseudo_random else 'random'}, "
                f"{'overlapping' if overlapping else 'disjoint'}"
            )
            yield Duel("fractional pooling", case, ours, max_pool_of_pairs, x, pairs, 2.0)


def connection_duels() -> Iterator[Duel]:
    """One mask for the batch, against a dense layer with the same parameters."""
    for batch, bound in BATCHES.items():
        x = jax.random.normal(jax.random.key(0), (batch, UNITS))
        dense = nn.Dense(UNITS)
        given = dense.init(jax.random.key(1), x)["params"], x

        def theirs(key: Array, given: PyTree, layer: nn.Module = dense) -> Array:
            del key
            return layer.apply({"params": given[0]}, given[1])

        for rate in CONNECTION_RATES:

            def ours(key: Array, given: PyTree, rate: float = rate) -> Array:
                layer, rngs = regularizers.DropConnectDense(UNITS, rate), {"dropout": key}
                return layer.apply({"params": given[0]}, given[1], train=True, rngs=rngs)

            case = f"{UNITS} × {UNITS}, batch {batch}, rate {rate}"
            yield Duel("DropConnect", case, ours, theirs, given, given, bound)


DUELS = {
    "dropout": dropout_duels,
    "DropConnect": connection_duels,
    "fractional pooling": pooling_duels,
}
