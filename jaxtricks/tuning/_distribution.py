"""The distributions of a single hyper-parameter, which are the leaves of a search space."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np


def objects(values: Iterable[Any]) -> np.ndarray:
    """Makes an array of objects from static values; NumPy scalars become Python numbers."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    array = np.empty(len(plain), object)
    for place, value in enumerate(plain):  # np.array(plain) would make an axis of tuples
        array[place] = value
    return array


@dataclasses.dataclass(frozen=True)
class Interval:
    """An interval of numbers in a search space, made by `uniform`, `log_uniform` or `integers`.

    Attributes:
        low: the smallest value.
        high: the largest value, at least `low`.
        logarithmic: whether the logarithm of the value is distributed uniformly, rather than the
            value itself.
        integer: whether the values are integers.

    Example:
        >>> Interval(1, 100, logarithmic=True).spaced(3).round(3).tolist()
        [1.0, 10.0, 100.0]
    """

    low: int | float
    high: int | float
    logarithmic: bool = False
    integer: bool = False

    def at(self, share: np.ndarray) -> np.ndarray:
        """Computes quantiles of the distribution, float32 or int32, for probabilities `share`."""
        low, high = self.ends()
        values = low + share * (high - low)
        values = np.exp(values) if self.logarithmic else values
        if self.integer:
            values = np.floor(values)  # each integer stands for the interval up to the next one
        values = np.clip(values, self.low, self.high)
        return values.astype(np.int32 if self.integer else np.float32)

    def spaced(self, points: int) -> np.ndarray:
        """Computes `points` evenly spaced values including both ends; for one point, the middle.

        They are evenly spaced in the logarithm if `logarithmic`. Integers that are equal after
        rounding appear once.
        """
        low, high = (self.low, self.high)
        low, high = (math.log(low), math.log(high)) if self.logarithmic else (low, high)
        values = np.linspace(low, high, points) if points > 1 else np.array([(low + high) / 2])
        values = np.exp(values) if self.logarithmic else values
        values = np.clip(np.round(values) if self.integer else values, self.low, self.high)
        values = values.astype(np.int32 if self.integer else np.float32)
        return np.unique(values)

    def holds(self, values: np.ndarray) -> bool:
        """Says whether all values lie in the interval, up to float32 rounding."""
        if self.integer and not np.all(values == np.round(values)):
            return False
        largest = max(abs(self.low), abs(self.high))
        below, above = (
            1e-6 * (abs(end) if self.logarithmic else largest) for end in (self.low, self.high)
        )
        return bool(np.all((self.low - below <= values) & (values <= self.high + above)))

    def ends(self) -> tuple[int | float, int | float]:
        """Computes the ends between which the values, or their logarithms, are uniform.

        For integers, which are rounded down, the upper end is `high + 1`.
        """
        low, high = self.low, self.high + self.integer
        return (math.log(low), math.log(high)) if self.logarithmic else (low, high)

    def narrowed(self, values: np.ndarray, margin: float) -> "Interval":
        """Narrows the interval to the range of `values`, extended on both sides.

        The extension is `margin` times the length of that range, measured in the logarithm if
        `logarithmic`. The result never reaches beyond this interval.
        """
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
    """A list of equally probable values in a search space, made by `choice`.

    Attributes:
        values: the possible values.
        static: whether `search` compiles a separate program for each value, rather than tracing it.

    Example:
        >>> Options(("sgd", "adam"), static=True).at(np.array([0.2, 0.7])).tolist()
        ['sgd', 'adam']
    """

    values: tuple[Any, ...]
    static: bool

    def at(self, share: np.ndarray) -> np.ndarray:
        """Selects the values at the relative positions `share` in the list, each from 0 to 1."""
        places = np.minimum((share * len(self.values)).astype(int), len(self.values) - 1)
        return self.array()[places]

    def spaced(self, points: int) -> np.ndarray:
        """Gives all values as an array; `points` is ignored."""
        del points
        return self.array()

    def narrowed(self, values: np.ndarray, margin: float) -> "Options":
        """Keeps the options that occur in `values`; `margin` is ignored."""
        del margin
        left = tuple(own for own in self.values if any(self.same(own, one) for one in values))
        return dataclasses.replace(self, values=left)

    def holds(self, values: np.ndarray) -> bool:
        """Says whether all of `values` are options."""
        return all(any(self.same(own, one) for own in self.values) for one in values)

    def same(self, own: Any, other: Any) -> bool:
        """Says whether two values are equal; traced numbers are compared in float32."""
        return bool(own == other if self.static else np.float32(own) == np.float32(other))

    def array(self) -> np.ndarray:
        """Gives the values as an array, with the dtype object if they are static."""
        if not self.static:
            return np.asarray(self.values)
        return objects(self.values)


Distribution = Interval | Options
