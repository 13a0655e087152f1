"""Bad arguments: one clear error that names the argument and the value received.

Only concrete values are checked. A traced value (under `jit`, `vmap` or `grad`) passes, because
hyper-parameters are data; nothing is clipped or repaired.
"""

import itertools
import operator
from collections.abc import Collection, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

SHOWN, LONGEST = 8, 200  # entries of an array, and characters, in a message


def check_range(
    name: str,
    value: object,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> None:
    """Checks that a real scalar is finite and within bounds, each of them optional.

    Args:
        name: the argument's name, for the message.
        value: a number, a 0-d array, or a tracer, which passes unchecked.
        low: smallest value allowed.
        above: every value allowed is larger.
        high: largest value allowed.
        below: every value allowed is smaller.

    Raises:
        TypeError: not a real scalar.
        ValueError: not finite, or out of range.

    Example:
        >>> check_range("decay", 0.9, low=0.0, below=1.0)
        >>> check_range("decay", 1.0, low=0.0, below=1.0)
        Traceback (most recent call last):
        ValueError: decay must be in [0.0, 1.0), got 1.0.
    """
    if isinstance(value, jax.core.Tracer):
        return
    check_scalar(name, value)
    number = float(value)  # pyrefly: ignore[bad-argument-type]
    inside = (
        np.isfinite(number)
        and (low is None or number >= low)
        and (above is None or number > above)
        and (high is None or number <= high)
        and (below is None or number < below)
    )
    if not inside:
        left = f"[{low}" if low is not None else "(-inf" if above is None else f"({above}"
        right = f"{high}]" if high is not None else "inf)" if below is None else f"{below})"
        raise ValueError(f"{name} must be in {left}, {right}, got {value}.")


def shown(value: object) -> str:
    """How a message shows a value: an array of more than a few entries by its type and shape only.

    Example:
        >>> shown("adam"), shown(np.zeros((3, 4)))
        ("'adam'", 'an array float64[3,4]')
    """
    if isinstance(value, np.ndarray | jax.Array) and value.size > SHOWN:
        return f"an array {value.dtype}[{','.join(map(str, value.shape))}]"
    text = repr(value)
    if len(text) <= LONGEST:
        return text
    keys = f" with {sorted(map(str, value))}" if isinstance(value, Mapping) else ""
    return f"{text[:LONGEST]}..." if isinstance(value, str) else f"a {type(value).__name__}{keys}"


def check_scalar(name: str, value: object) -> None:
    """Checks a real scalar of any value, NaN included; a tracer passes.

    Raises:
        TypeError: it is not one.
    """
    if isinstance(value, jax.core.Tracer):
        return
    if (
        isinstance(value, bool | str | bytes)
        or not isinstance(value, int | float | np.generic | np.ndarray | jax.Array)
        or np.ndim(value) != 0
        or not jnp.issubdtype(jnp.result_type(value), jnp.number)
        or jnp.issubdtype(jnp.result_type(value), jnp.complexfloating)
    ):
        raise TypeError(f"{name} must be a real scalar, got {shown(value)}.")


def check_pair(name: str, value: object) -> None:
    """Checks a tuple or list of two.

    Raises:
        TypeError: it is not one.

    Example:
        >>> check_pair("betas", 0.9)
        Traceback (most recent call last):
        TypeError: betas must be a pair, got 0.9.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be a pair, got {shown(value)}.")


def check_integer(name: str, value: object, *, low: int | None = None) -> None:
    """Checks an integer, of at least `low` if that is given; a tracer passes.

    Raises:
        TypeError: not an integer; a float such as 3.0 is refused.
        ValueError: smaller than `low`.
    """
    if isinstance(value, jax.core.Tracer):
        return
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {shown(value)}.")
    try:
        number = operator.index(value)  # pyrefly: ignore[bad-argument-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}.") from None
    if low is not None and number < low:
        raise ValueError(f"{name} must be at least {low}, got {number}.")


def check_length(name: str, value: object, *, low: int) -> None:
    """Checks a number of updates or observations, which are counted in int32; a tracer passes.

    Raises:
        TypeError: not an integer.
        ValueError: smaller than `low`, or larger than an int32.
    """
    check_integer(name, value, low=low)
    if not isinstance(value, jax.core.Tracer) and np.asarray(value) > 2**31 - 1:
        raise ValueError(f"{name} must be at most {2**31 - 1}, got {value}.")


def check_increasing(name: str, values: Sequence[int], *, low: int) -> None:
    """Checks a sequence of integers that increase and are at least `low`.

    Raises:
        TypeError: `values` is not a sequence, or one of them is not an integer.
        ValueError: there are none, one is out of range (see `check_length`), or the order is wrong.
    """
    check_instance(name, values, Sequence)
    for index, value in enumerate(values):
        check_length(f"{name}[{index}]", value, low=low)
    if not values or any(a >= b for a, b in itertools.pairwise(values)):
        raise ValueError(f"{name} must be increasing and not empty, got {values}.")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Checks that `value` is one of the names of a convention.

    Raises:
        ValueError: it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def check_flag(name: str, value: object) -> None:
    """Checks a Python bool; arrays, even boolean ones, are refused.

    Raises:
        TypeError: it is anything else.
    """
    if isinstance(value, jax.core.Tracer):
        raise TypeError(
            f"{name} must be a bool, got a traced value: name it in static_argnames of jit, and in "
            f"nn.remat fix it: nn.remat(lambda layer, x: layer(x, {name}={name}))(layer, x)."
        )
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a bool, got {shown(value)}.")


def check_instance(name: str, value: object, kind: type) -> None:
    """Checks that `value` is an instance of `kind`.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOUaeiou" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {shown(value)}.")


def check_floating(name: str, value: object) -> None:
    """Checks an array of floating numbers, traced or not.

    Raises:
        TypeError: a list, a Python number, or an array of another type.

    Example:
        >>> check_floating("x", jnp.ones(2, jnp.int32))
        Traceback (most recent call last):
        TypeError: x must be a floating array, got Array([1, 1], dtype=int32).
    """
    if not isinstance(value, np.ndarray | jax.Array) or not jnp.issubdtype(
        value.dtype, jnp.floating
    ):
        raise TypeError(f"{name} must be a floating array, got {shown(value)}.")


def check_key(name: str, value: object) -> None:
    """Checks one typed random key; a traced one passes.

    Raises:
        TypeError: a number, a legacy uint32 key or anything else.
        ValueError: an array of keys.

    Example:
        >>> check_key("key", 0)
        Traceback (most recent call last):
        TypeError: key must be a typed key such as jax.random.key(0), got 0.
    """
    if not isinstance(value, jax.Array) or not jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        raise TypeError(
            f"{name} must be a typed key such as jax.random.key(0), got {shown(value)}."
        )
    if value.shape:
        raise ValueError(f"{name} must be one key, got {value.shape} of them.")


def check_function(name: str, value: object) -> None:
    """Checks that a value can be called.

    Raises:
        TypeError: it cannot.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {shown(value)}.")


def check_functions(name: str, value: object, kind: type) -> None:
    """Checks a named tuple of type `kind`: its fields without a default are functions.

    Raises:
        TypeError: it is of another type, or such a field is not a function.
    """
    check_instance(name, value, kind)
    for field in kind._fields:  # pyrefly: ignore[missing-attribute]
        if field not in kind._field_defaults:  # pyrefly: ignore[missing-attribute]
            check_function(f"{name}.{field}", getattr(value, field))
