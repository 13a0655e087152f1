"""The library as its users have it, also where the tests run under a type checker."""

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
