"""What a surface is: an objective with the points and the window its pictures need."""

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
    """An objective; calling it gives the loss at a point.

    Arrays are made in the float type that is JAX's default when the surface is made; the loss is
    computed in the type of the point. It cannot be an argument of a jitted function, because `loss`
    is not an array: close over it.

    Attributes:
        loss: point -> scalar.
        start: a start that shows what the surface is for; gives the shape of its points, `[]` in
            one dimension.
        optimum: the global minimum, None where there is none or it has no closed form.
        view: `((xmin, xmax), (ymin, ymax))` worth drawing; in one dimension y is the loss. None for
            objectives made of data or with more than two dimensions.
    """

    loss: Callable[[PyTree], Float[Array, ""]]
    start: PyTree
    optimum: PyTree | None = None
    view: tuple[Interval, Interval] | None = None

    def __call__(self, x: PyTree) -> Float[Array, ""]:
        """Gives the loss at `x`, a point shaped like `start`.

        Raises:
            ValueError: `x` has another shape.
            TypeError: `x` is complex, or does not hold numbers.
        """
        check_same_tree("x", x, "the surface's start", self.start)
        check_real_tree("x", x)
        return self.loss(as_point(x))


def scalar_loss(surface: Callable[..., Array], *takes: str) -> Callable[..., Array]:
    """Makes `surface` raise an error if its value is not a real scalar.

    Raises:
        TypeError: it is not a function of the arguments `takes`.
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
            raise TypeError(f"surface must give a floating scalar, got {got!r}.")
        return value

    return loss


def as_point(x: PyTree) -> PyTree:
    """Makes every leaf a floating array, in its own type if it has one.

    Example:
        >>> as_point(2), as_point(jnp.ones(1, jnp.bfloat16)).dtype
        (Array(2., dtype=float32), dtype(bfloat16))
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf, float)), x)
