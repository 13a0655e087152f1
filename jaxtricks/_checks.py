"""Checks of arguments, with one clear error that names the argument and the value received.

Only concrete values are checked. A traced value (under `jit`, `vmap` or `grad`) passes, because
hyper-parameters are data. No value is clipped or repaired.
"""

import operator
from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp
import numpy as np

SHOWN, LONGEST = 8, 200  # most entries of an array, and characters, in a message
MAX_INT32 = 2**31 - 1  # JAX counts in int32


def check_range(
    name: str,
    value: object,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> None:
    """Checks that a real scalar is finite and within bounds, each of which is optional.

    Args:
        name: name of the argument, for the message.
        value: a number, a 0-d array, or a tracer, which passes unchecked.
        low: the smallest value allowed.
        above: a bound that the value must exceed.
        high: the largest value allowed.
        below: a bound that the value must stay below.

    Raises:
        TypeError: `value` is not a real scalar.
        ValueError: `value` is not finite or out of range.

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
    """Formats a value for a message: large arrays and long texts are shortened.

    Example:
        >>> shown("adam"), shown(np.zeros((3, 4)))
        ("'adam'", 'an array float64[3,4]')
    """
    if isinstance(value, np.ndarray | jax.Array) and value.size > SHOWN:
        return f"an array {value.dtype}[{','.join(map(str, value.shape))}]"
    if isinstance(value, int) and value.bit_length() > LONGEST:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    if len(text) <= LONGEST:
        return text
    keys = f" with {sorted(map(str, value))}" if isinstance(value, Mapping) else ""
    return f"{text[:LONGEST]}..." if isinstance(value, str) else f"a {type(value).__name__}{keys}"


def check_scalar(name: str, value: object) -> None:
    """Checks a real scalar, which may be NaN or infinite; a tracer passes.

    Raises:
        TypeError: `value` is not a real scalar.
        ValueError: `value` is an integer that is too large for a float.
    """
    if isinstance(value, jax.core.Tracer):
        return
    if not is_real_number(value) or np.ndim(value):  # pyrefly: ignore[bad-argument-type]
        raise TypeError(f"{name} must be a real scalar, got {shown(value)}.")
    if isinstance(value, int) and value.bit_length() > 1023:  # no float is as large
        raise ValueError(f"{name} must be small enough for a float, got {shown(value)}.")


def is_real_number(value: object) -> bool:
    """Says whether a value is a Python number or an array of integers or floats; bools are not.

    Example:
        >>> is_real_number(1), is_real_number(True), is_real_number(np.ones(2)), is_real_number([1])
        (True, False, True, False)
    """
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        return is_real(value.dtype)
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_real(dtype: np.dtype) -> bool:
    """Says whether a dtype holds integers or floats; the dtypes of random keys and bools do not.

    Example:
        >>> is_real(np.dtype("int8")), is_real(np.dtype(bool)), is_real(np.dtype("complex64"))
        (True, False, False)
    """
    return jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)


def check_pair(name: str, value: object) -> None:
    """Checks a tuple or list of two elements.

    Raises:
        TypeError: `value` is not a tuple or list, or has another number of elements.

    Example:
        >>> check_pair("betas", 0.9)
        Traceback (most recent call last):
        TypeError: betas must be a pair, got 0.9.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be a pair, got {shown(value)}.")


def check_integer(
    name: str, value: object, *, low: int = -MAX_INT32, high: int = MAX_INT32
) -> None:
    """Checks an integer within bounds; a tracer passes.

    The default of `high` is the largest int32, because JAX counts updates and examples in int32,
    and a larger array would end the process instead of raising an error.

    Raises:
        TypeError: `value` is not an integer; a float such as 3.0 is refused.
        ValueError: `value` is smaller than `low` or larger than `high`.

    Example:
        >>> check_integer("total_steps", 2**31, low=1)
        Traceback (most recent call last):
        ValueError: total_steps must be at most 2147483647, got 2147483648.
    """
    if isinstance(value, jax.core.Tracer):
        return
    try:
        number = operator.index(value)  # pyrefly: ignore[bad-argument-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {shown(value)}.")
    if number < low:
        raise ValueError(f"{name} must be at least {low}, got {shown(number)}.")
    if number > high:
        raise ValueError(f"{name} must be at most {high}, got {shown(number)}.")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Checks that `value` is one of the strings in `choices`.

    Raises:
        ValueError: `value` is not one of them.
    """
    if not isinstance(value, str) or value not in choices:
        names = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {names}, got {shown(value)}.")


def check_flag(name: str, value: object) -> None:
    """Checks a Python bool; arrays, even boolean ones, are refused.

    Raises:
        TypeError: `value` is not a bool.
    """
    if isinstance(value, jax.core.Tracer):
        in_remat = "nn.remat(lambda layer, x: layer(x, train=train))(layer, x)"
        hint = f", and with nn.remat write {in_remat}" if name == "train" else ""
        raise TypeError(
            f"{name} must be a bool, got a traced value: name it in static_argnames of jit{hint}."
        )
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a bool, got {shown(value)}.")


def check_instance(name: str, value: object, kind: type) -> None:
    """Checks that `value` is an instance of `kind`.

    Raises:
        TypeError: `value` is not an instance of it.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOUaeiou" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {shown(value)}.")


def check_key(name: str, value: object) -> None:
    """Checks a single typed random key; a traced key passes.

    Raises:
        TypeError: `value` is a number, a legacy uint32 key or anything else.
        ValueError: `value` is an array of keys.

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
        raise ValueError(f"{name} must be one key, got an array of keys of shape {value.shape}.")


def check_function(name: str, value: object) -> None:
    """Checks that a value can be called.

    Raises:
        TypeError: `value` cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {shown(value)}.")


def check_functions(name: str, value: object, kind: type) -> None:
    """Checks a named tuple of type `kind`, whose fields without a default must be functions.

    Raises:
        TypeError: `value` has another type, or such a field is not a function.
    """
    check_instance(name, value, kind)
    for field in kind._fields:  # pyrefly: ignore[missing-attribute]
        if field not in kind._field_defaults:  # pyrefly: ignore[missing-attribute]
            check_function(f"{name}.{field}", getattr(value, field))
