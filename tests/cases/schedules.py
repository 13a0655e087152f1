"""Every schedule under contract."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtricks import schedules


class Schedule(NamedTuple):
    """A schedule under contract. `hyper`: float arguments, two values; `static`: the others."""

    make: Callable[..., schedules.Schedule]
    hyper: Mapping[str, tuple[float, float]]
    static: Mapping[str, object] = {}


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(schedules.constant, hyper={"value": (0.1, 0.3)}),
    "cosine_decay": Schedule(
        schedules.cosine_decay,
        hyper={"initial": (0.1, 0.3), "final": (0.0, 0.01), "exponent": (1.0, 2.5)},
        static={"total_steps": 10},
    ),
    "step_decay": Schedule(
        schedules.step_decay,
        hyper={"initial": (0.1, 0.3), "factor": (0.1, 0.5), "final": (0.0, 0.03)},
        static={"every_steps": 4},
    ),
    "multistep_decay": Schedule(
        schedules.multistep_decay,
        hyper={"initial": (0.1, 0.3), "factor": (0.1, 0.5), "final": (0.0, 0.03)},
        static={"boundaries": (3, 10, 2**31 - 1)},
    ),
    "exponential_decay": Schedule(
        schedules.exponential_decay,
        hyper={"initial": (0.1, 0.3), "rate": (0.01, 0.2), "final": (0.0, 0.03)},
    ),
    "geometric_decay": Schedule(
        schedules.geometric_decay,
        hyper={"initial": (0.1, 0.3), "final": (1e-4, 1e-3)},
        static={"total_steps": 10},
    ),
    "inverse_time_decay": Schedule(
        schedules.inverse_time_decay, hyper={"initial": (0.1, 0.3), "rate": (0.01, 0.2)}
    ),
    "cosine_restarts": Schedule(
        schedules.cosine_restarts,
        hyper={
            "initial": (0.1, 0.3),
            "final": (0.0, 0.01),
            "peak_factor": (0.9, 0.5),
            "final_factor": (0.9, 0.5),
        },
        static={"first_steps": 3, "multiplier": 2},
    ),
    "inverse_sqrt_decay": Schedule(
        schedules.inverse_sqrt_decay,
        hyper={"initial": (0.1, 0.3), "offset": (1.0, 10.0), "final": (0.0, 0.03)},
    ),
    "linear_decay": Schedule(
        schedules.linear_decay,
        hyper={"initial": (0.1, 0.3), "final": (0.0, 0.01)},
        static={"total_steps": 10},
    ),
    "polynomial_decay": Schedule(
        schedules.polynomial_decay,
        hyper={"initial": (0.1, 0.3), "final": (0.0, 0.01), "power": (0.9, 2.0)},
        static={"total_steps": 10},
    ),
    "linear_warmup": Schedule(
        schedules.linear_warmup,
        hyper={"peak": (0.1, 0.3)},
        static={"warmup_steps": 10, "start": "first_step"},
    ),
    "noam": Schedule(
        schedules.noam, hyper={"scale": (1.0, 0.5)}, static={"model_size": 64, "warmup_steps": 8}
    ),
    "with_warmup": Schedule(
        schedules.with_warmup,
        hyper={},
        static={"schedule": schedules.linear_decay(0.1, 8), "warmup_steps": 3, "start": "zero"},
    ),
    "join": Schedule(
        schedules.join,
        hyper={},
        static={
            "schedules": (schedules.constant(0.1), schedules.linear_decay(0.1, 8)),
            "boundaries": (9,),
        },
    ),
}
