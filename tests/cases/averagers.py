"""Every averager of weights under contract."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtricks import averaging


class Averager(NamedTuple):
    """An averager of weights under contract.

    `make`: the factory. `hyper`: every hyper-parameter that may be traced, with two values.
    `static`: the other arguments.
    """

    make: Callable[..., averaging.Averager]
    hyper: Mapping[str, tuple[float, float]] = {}
    static: Mapping[str, object] = {}


AVERAGERS: dict[str, Averager] = {
    "exponential_average": Averager(
        averaging.exponential_average,
        hyper={"decay": (0.9, 0.5), "start": (1, 3)},
        static={"debias": True, "warm_start": False},
    ),
    "exponential_average, from the first parameters": Averager(
        averaging.exponential_average,
        hyper={"decay": (0.9, 0.5), "start": (1, 3)},
        static={"debias": False, "warm_start": True},
    ),
    "polyak_average": Averager(averaging.polyak_average, hyper={"start": (1, 3)}),
    "snapshots": Averager(
        averaging.snapshots, static={"capacity": 2, "at": averaging.cycle_ends(1, multiplier=2)}
    ),
}
