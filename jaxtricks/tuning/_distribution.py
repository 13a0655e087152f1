"""The values that one hyper-parameter may take."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np


def objects(values: Iterable[Any]) -> np.ndarray:
    """Static values as an array of objects; NumPy's scalars become Python's."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    array = np.empty(len(plain), object)
    for place, value in enumerate(plain):  # not at once: tuples would become an axis
        array[place] = value
    return array


@dataclasses.dataclass(frozen=True)
class Interval:
    """All numbers between two ends, both included; `log_uniform`, `uniform` and `integers` make it.

    Attributes:
        low: the lower end.
        high: the upper end, not below it.
        logarithmic: whether equal ratios are equally probable, not equal differences.
        integer: whether the numbers are integers.
    """

    low: int | float
    high: int | float
    logarithmic: bool = False
    integer: bool = False

    def at(self, share: np.ndarray) -> np.ndarray:
        """The values below which these shares of all draws lie, shares from 0 to 1."""
        low, high = self.ends()
        values = low + share * (high - low)
        values = np.exp(values) if self.logarithmic else values
        if self.integer:
            values = np.floor(values)  # an integer owns the interval from it to the next one
        values = np.clip(values, self.low, self.high)
        return values.astype(np.int32 if self.integer else np.float32)

    def spaced(self, points: int) -> np.ndarray:
        """So many values in even steps, both ends among them; of one the middle."""
        low, high = (self.low, self.high)
        low, high = (math.log(low), math.log(high)) if self.logarithmic else (low, high)
        values = np.linspace(low, high, points) if points > 1 else np.array([(low + high) / 2])
        values = np.exp(values) if self.logarithmic else values
        values = np.clip(np.round(values) if self.integer else values, self.low, self.high)
        values = values.astype(np.int32 if self.integer else np.float32)
        return np.unique(values)

    def holds(self, values: np.ndarray) -> bool:
        """Whether all values lie in it, to the rounding of single precision."""
        if self.integer and not np.all(values == np.round(values)):
            return False
        largest = max(abs(self.low), abs(self.high))
        below, above = (
            1e-6 * (abs(end) if self.logarithmic else largest) for end in (self.low, self.high)
        )
        return bool(np.all((self.low - below <= values) & (values <= self.high + above)))

    def ends(self) -> tuple[int | float, int | float]:
        """Between which the draws are uniform."""
        low, high = self.low, self.high + self.integer
        return (math.log(low), math.log(high)) if self.logarithmic else (low, high)

    def narrowed(self, values: np.ndarray, margin: float) -> "Interval":
        """The part of it that holds these values, and `margin` times its length on either side."""
        least, most = float(np.min(values)), float(np.max(values))
        if self.logarithmic:
            room = margin * math.log(most / least)
            low = math.exp(max(math.log(least) - room, math.log(self.low)))
            high = math.exp(min(math.log(most) + room, math.log(self.high)))
        else:
            room = margin * (most - least)
            low, high = least - room, most + room
        if self.integer:
            low, high = math.ceil(low), math.floor(high)
        return dataclasses.replace(self, low=max(low, self.low), high=min(high, self.high))


@dataclasses.dataclass(frozen=True)
class Options:
    """One of some values, all equally probable; `choice` makes it.

    Attributes:
        values: what it may be.
        static: whether each value has a program of its own.
    """

    values: tuple[Any, ...]
    static: bool

    def at(self, share: np.ndarray) -> np.ndarray:
        """The values at these shares of their list, shares from 0 to 1."""
        places = np.minimum((share * len(self.values)).astype(int), len(self.values) - 1)
        return self.array()[places]

    def spaced(self, points: int) -> np.ndarray:
        """All of them, whatever `points` is."""
        del points
        return self.array()

    def narrowed(self, values: np.ndarray, margin: float) -> "Options":
        """Those that are among these values."""
        del margin
        left = tuple(own for own in self.values if any(self.same(own, one) for one in values))
        return dataclasses.replace(self, values=left)

    def holds(self, values: np.ndarray) -> bool:
        """Whether all values are among them."""
        return all(any(self.same(own, one) for own in self.values) for one in values)

    def same(self, own: Any, other: Any) -> bool:
        """Whether two values are equal; numbers that are not static, in single precision."""
        return bool(own == other if self.static else np.float32(own) == np.float32(other))

    def array(self) -> np.ndarray:
        """The values as an array, of objects if they are static."""
        if not self.static:
            return np.asarray(self.values)
        return objects(self.values)


Distribution = Interval | Options
