"""Every state machine on a metric under contract."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtricks import control


class Control(NamedTuple):
    """A state machine on a metric under contract.

    `make`: the factory. `hyper`: every float hyper-parameter with two values. `static`: the other
    arguments. `observe`: makes what `update` observes of one error. `acts`: what it answers changes
    with bad errors; else it only keeps the best.
    """

    make: Callable[..., control.ControlRule]
    hyper: Mapping[str, tuple[float, float]]
    static: Mapping[str, object] = {}
    observe: Callable[[float], object] = lambda error: error
    acts: bool = True


CONTROLS: dict[str, Control] = {
    "plateau": Control(
        control.plateau,
        hyper={
            "factor": (0.5, 0.1),
            "initial": (1.0, 0.3),
            "min_value": (0.0, 0.3),
            "eps": (1e-8, 0.4),
            "threshold": (1e-4, 0.3),
        },
        static={
            "patience": 1,
            "mode": "min",
            "threshold_mode": "signed",
            "cooldown": 1,
            "finite_only": True,
        },
    ),
    "early_stopping": Control(
        control.early_stopping,
        hyper={"min_delta": (0.0, 0.9)},
        static={
            "patience": 1,
            "threshold_mode": "abs",
            "start_from": 0,
            "mode": "min",
            "keep_best": True,
        },
    ),
    "keep_best": Control(control.keep_best, hyper={}, static={"mode": "min"}, acts=False),
    "generalization_loss": Control(
        control.generalization_loss, hyper={"alpha": (5.0, 80.0)}, static={"keep_best": True}
    ),
    "progress_quotient": Control(
        control.progress_quotient,
        hyper={"alpha": (0.01, 3.0)},
        static={"strip": 2, "keep_best": True},
        observe=lambda error: (error, 1 + 0.1 * error),
    ),
    "successive_increase": Control(
        control.successive_increase, hyper={}, static={"times": 2, "strip": 1, "keep_best": True}
    ),
}
