"""The library as its users have it, without the type checker that the tests run it under."""

import contextlib
from collections.abc import Iterator

import jaxtyping


@contextlib.contextmanager
def untyped() -> Iterator[None]:
    """What the type checker would refuse reaches the library's own checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
