"""The type of a surface: an objective with a start, an optimum and a rectangle to draw."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxtricks._tree_checks import check_real_tree, check_same_tree

Interval = tuple[float, float]


class Surface(NamedTuple):
    """An objective function. Calling it returns the loss at a point.

    The arrays in it have JAX's default dtype for floats at the time when the surface is made. The
    loss is computed in the dtype of the point. A surface cannot be an argument of a jitted
    function, because `loss` is not an array: let the jitted function close over the surface.

    Attributes:
        loss: the function from a point to a scalar.
        start: the point from which to start an update rule, chosen so that its path shows what is
            special about the surface. All points have the shape of `start`, which is `()` in one
            dimension.
        optimum: the point of the global minimum. None if there is none, or if it has no closed
            form.
        view: the rectangle to draw, `((xmin, xmax), (ymin, ymax))`; in one dimension $y$ is the
            loss. None for objectives made from data, and in other than one or two dimensions.
    """

    loss: Callable[[PyTree], Float[Array, ""]]
    start: PyTree
    optimum: PyTree | None = None
    view: tuple[Interval, Interval] | None = None

    def __call__(self, x: PyTree) -> Float[Array, ""]:
        """Returns the loss at `x`, a point with the structure and shapes of `start`.

        Raises:
            ValueError: `x` has another structure or shape.
            TypeError: `x` is complex, or does not hold numbers.
        """
        check_same_tree("x", x, "the surface's start", self.start)
        check_real_tree("x", x)
        return self.loss(as_point(x))


def scalar_loss(surface: Callable[..., Array], *takes: str) -> Callable[..., Array]:
    """Wraps `surface`, so that it raises `TypeError` if its value is not a floating scalar.

    Raises:
        TypeError: `surface` is not a function of the arguments `takes`.
    """
    if not callable(surface):
        raise TypeError(f"surface must be a function, got {surface!r}.")
    signature = inspect.signature(surface)
    try:
        signature.bind(*takes)
    except TypeError:
        raise TypeError(
            f"surface must be a function of ({', '.join(takes)}), got {surface!r}, which takes "
            f"({', '.join(signature.parameters)})."
        ) from None

    def loss(*arguments: PyTree) -> Array:
        value = surface(*arguments)
        number = isinstance(value, float | np.generic | np.ndarray | jax.Array)
        got = jax.typeof(value) if number else value
        if not number or got.shape or not jnp.issubdtype(got.dtype, jnp.floating):
            raise TypeError(f"surface must return a floating scalar, got {got!r}.")
        return value

    return loss


def as_point(x: PyTree) -> PyTree:
    """Converts each leaf to a floating array; a leaf of a floating dtype keeps it.

    Example:
        >>> as_point(2), as_point(jnp.ones(1, jnp.bfloat16)).dtype
        (Array(2., dtype=float32), dtype(bfloat16))
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf, float)), x)
