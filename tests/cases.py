"""The tables that feed the contract tests: data only, one row for each public factory.

A new trick adds its row here; `test_api.py` fails until it has.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import optax

from jaxtricks import optimizers, schedules


class Transform(NamedTuple):
    """A gradient transformation under contract.

    `make`: the factory. `hyper`: every float hyper-parameter with two values. `scheduled`: those
    that may be schedules. `static`: the other arguments, with the value used here. `extra`: what
    `update` needs besides. `descends`: alone, it solves a bowl in 300 steps with the first values.
    """

    make: Callable[..., optax.GradientTransformationExtraArgs]
    hyper: Mapping[str, tuple[float, float]]
    scheduled: tuple[str, ...] = ()
    static: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}
    descends: bool = False


class Schedule(NamedTuple):
    """A schedule under contract. `hyper`: float arguments, two values; `static`: the others."""

    make: Callable[..., schedules.Schedule]
    hyper: Mapping[str, tuple[float, float]]
    static: Mapping[str, object] = {}


TRANSFORMS: dict[str, Transform] = {
    "gradient_descent": Transform(
        optimizers.gradient_descent,
        hyper={"learning_rate": (0.1, 0.3)},
        scheduled=("learning_rate",),
        descends=True,
    ),
    "scale_by_momentum": Transform(
        optimizers.scale_by_momentum,
        hyper={"decay": (0.9, 0.5), "dampening": (0.1, 0.5), "initial_velocity": (0.0, 1.0)},
        scheduled=("decay",),
        static={"dampen_first": False, "nesterov": False},
    ),
    "momentum": Transform(
        optimizers.momentum,
        hyper={"learning_rate": (0.1, 0.3), "decay": (0.5, 0.8), "dampening": (0.0, 0.5)},
        scheduled=("learning_rate", "decay"),
        static={"lr_inside": True, "nesterov": False},
        descends=True,
    ),
    "scale_by_adam": Transform(
        optimizers.scale_by_adam,
        hyper={"b1": (0.9, 0.5), "b2": (0.999, 0.9), "eps": (1e-7, 1e-3)},
        scheduled=("b1", "b2"),
        static={"eps_inside": True, "eps_hat": True, "bias_correction": True},
    ),
    "adam": Transform(
        optimizers.adam,
        hyper={
            "learning_rate": (0.1, 0.3),
            "b1": (0.8, 0.5),
            "b2": (0.9, 0.99),
            "eps": (1e-7, 1e-3),
        },
        scheduled=("learning_rate", "b1", "b2"),
        static={"eps_inside": False, "eps_hat": False, "bias_correction": True},
        descends=True,
    ),
}

SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(schedules.constant, hyper={"value": (0.1, 0.3)}),
    "cosine_decay": Schedule(
        schedules.cosine_decay,
        hyper={"initial": (0.1, 0.3), "final": (0.0, 0.01)},
        static={"total_steps": 10},
    ),
}
