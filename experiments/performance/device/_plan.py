"""All measurements, the most important first."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn

from experiments.performance._resnet50 import Shapes, resnet50_shapes
from experiments.performance._rules import RULES
from experiments.performance.device._contest import Contest
from experiments.performance.device._training import epoch, residual_step, seeds
from experiments.performance.device._update_rules import update_rule
from jaxtricks import models


class Measurement(NamedTuple):
    """`expected`: seconds with compilation, guessed for a fast GPU; `kind`: of like duration."""

    name: str
    kind: str
    expected: float
    contest: Callable[[], Contest]


class Sizes(NamedTuple):
    """How large everything is.

    Attributes:
        rules: names of the update rules.
        large: a tree of large leaves, whose update is bound by the memory's bandwidth.
        ragged: a tree like a real model's, with many small leaves.
        copied: floats of the large copy.
        calls: updates or steps in flight in one round.
        examples: training images at most.
        cnn: the small convolutional network.
        mlp: the network of the seeds.
        seeds: that train together.
        residual: depth, width and batch of the residual network.
        rounds: turns of everyone at most.
    """

    rules: tuple[str, ...]
    large: Shapes
    ragged: Shapes
    copied: int
    calls: int
    examples: int
    cnn: nn.Module
    mlp: nn.Module
    seeds: int
    residual: tuple[int, int, int]
    rounds: int


FULL = Sizes(
    rules=tuple(RULES),
    large={f"kernel{i}": (2048, 2048) for i in range(16)},
    ragged=resnet50_shapes(),
    copied=2**28,
    calls=20,
    examples=60_000,
    cnn=models.SmallCNN(),
    mlp=models.tensorflow_mlp(),
    seeds=16,
    residual=(20, 16, 128),
    rounds=30,
)
SMOKE = Sizes(
    rules=("adam", "momentum"),
    large={"kernel": (8, 8)},
    ragged={"kernel": (3, 4), "bias": (4,)},
    copied=128,
    calls=2,
    examples=130,
    cnn=models.SmallCNN((2, 2), hidden=4),
    mlp=models.MLP((8, 10), dropout_rates=0.5),
    seeds=3,
    residual=(8, 2, 4),
    rounds=3,
)


def plan(sizes: Sizes) -> list[Measurement]:
    """One or two of every kind, then the rest."""

    def rule(name: str, kind: str, shapes: Shapes, expected: float) -> Measurement:
        contest = partial(update_rule, name, shapes, sizes.copied, sizes.calls)
        return Measurement(f"{kind}/{name}", kind, expected, contest)

    def step(precision: str) -> Measurement:
        contest = partial(residual_step, precision, *sizes.residual, sizes.calls)
        return Measurement(f"resnet_step/{precision}", "resnet_step", 60.0, contest)

    large = {name: rule(name, "update_rule", sizes.large, 15.0) for name in sizes.rules}
    ragged = {name: rule(name, "ragged_update_rule", sizes.ragged, 30.0) for name in sizes.rules}
    one_epoch = partial(epoch, sizes.cnn, sizes.examples)
    first = [
        large.pop("adam"),
        large.pop("momentum"),
        Measurement("epoch/cnn", "epoch", 40.0, one_epoch),
        Measurement("seeds/mlp", "seeds", 40.0, partial(seeds, sizes.mlp, *_number(sizes))),
        step("float32"),
        step("bfloat16"),
        ragged.pop("adam"),
        *large.values(),
        Measurement("seeds/cnn", "seeds", 60.0, partial(seeds, sizes.cnn, *_number(sizes))),
    ]
    return first + list(ragged.values())


def _number(sizes: Sizes) -> tuple[int, int]:
    return sizes.examples, sizes.seeds
