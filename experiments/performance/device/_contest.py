"""One measurement: contenders take turns, and what they took becomes a record."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from experiments.performance.timing import interleaved, spread

FEWEST_ROUNDS = 3
SECONDS = 15.0  # all rounds of one measurement together, unless that makes fewer than the fewest
ERROR_LENGTH = 500  # characters: a message about memory can be pages long

Run = Callable[[], None]


class OutOfTime(RuntimeError):
    """Too few rounds of this measurement fit into the time that is left."""


class Contest(NamedTuple):
    """What is compared, and by which numbers.

    Attributes:
        makers: by contender, a function that allocates and returns what is run in each round.
        ratios: by name, two contenders and a factor: the factor times the first one's seconds over
            the second one's.
        per_second: by name, a contender and what it gets done in one round.
        about: what else the record says: sizes, the data set.
        optional: contenders without which the record is worth having.
        absent: why an optional contender does not take part.
    """

    makers: dict[str, Callable[[], Run]]
    ratios: dict[str, tuple[str, str, float]]
    per_second: dict[str, tuple[str, float]]
    about: dict[str, Any]
    optional: tuple[str, ...] = ()
    absent: dict[str, str] = {}


def hold(contest: Contest, rounds: int, time_left: Callable[[], float]) -> dict[str, Any]:
    """Compiles everything, then runs the contenders in turns.

    Args:
        contest: what to measure.
        rounds: how many turns everyone has, if the time allows it.
        time_left: gives the seconds until all must be over.

    Returns:
        The seconds of every round and of each first call, which compiles; quartiles of the ratios,
        formed within a round, and of what is done in a second.

    Raises:
        OutOfTime: not even the fewest rounds fit.
        Exception: whatever a contender raises that is not optional.
    """
    runs, first_calls, left_out = _warm_up(contest)
    begin = time.perf_counter()
    for run in runs.values():
        run()
    rounds = affordable_rounds(rounds, time.perf_counter() - begin, time_left())
    seconds = interleaved(runs, rounds, warm_up_rounds=0).wall
    return {
        "about": contest.about,
        "rounds": rounds,
        "seconds": {name: [float(f"{x:.5g}") for x in times] for name, times in seconds.items()},
        "first_call_seconds": first_calls,
        "ratios": {
            name: spread(factor * seconds[above] / seconds[below])
            for name, (above, below, factor) in contest.ratios.items()
            if above in seconds and below in seconds
        },
        "per_second": {
            name: spread(np.asarray(amount) / seconds[who])
            for name, (who, amount) in contest.per_second.items()
            if who in seconds
        },
        "left_out": left_out,
    }


def _warm_up(contest: Contest) -> tuple[dict[str, Run], dict[str, float], dict[str, str]]:
    """What is run, the seconds to its first result, and who is left out and why."""
    runs, seconds, left_out = {}, {}, dict(contest.absent)
    for name, make in contest.makers.items():
        begin = time.perf_counter()
        try:
            run = make()
            run()
        except Exception as error:
            if name not in contest.optional:
                raise
            left_out[name] = describe(error)
            continue
        runs[name], seconds[name] = run, round(time.perf_counter() - begin, 3)
    return runs, seconds, left_out


def affordable_rounds(rounds: int, one_round: float, left: float) -> int:
    """How many rounds of so many seconds are run, of `rounds` at most.

    Raises:
        OutOfTime: fewer than the fewest fit into the time that is left.
    """
    rounds = min(rounds, max(FEWEST_ROUNDS, int(SECONDS / one_round)))
    fitting = min(rounds, int(left / one_round))
    if fitting < FEWEST_ROUNDS:
        raise OutOfTime(f"a round takes {one_round:.3g} s, and {max(left, 0):.3g} s are left")
    return fitting


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
