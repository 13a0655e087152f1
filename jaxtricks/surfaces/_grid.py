"""The values of a surface on a grid, for contour plots."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_instance, check_integer, check_pair, check_range
from jaxtricks.surfaces._surface import Interval, Surface


class Grid(NamedTuple):
    """The result of `grid`, in the form that contour plots take.

    Attributes:
        x: the coordinates of the columns, `[size]`.
        y: the coordinates of the rows, `[size]`.
        loss: `[size, size]`; `loss[i, j]` is the loss at the point `(x[j], y[i])`.
    """

    x: Float[Array, " columns"]
    y: Float[Array, " rows"]
    loss: Float[Array, "rows columns"]


def grid(
    surface: Surface, *, size: int = 200, view: tuple[Interval, Interval] | None = None
) -> Grid:
    """Evaluates a two-dimensional surface at `size` x `size` points of a rectangle.

    Args:
        surface: a surface whose points have shape `(2,)`.
        size: number of points per axis, at least 2.
        view: the rectangle, `((xmin, xmax), (ymin, ymax))`; None means `surface.view`.

    Raises:
        ValueError: the surface is not two-dimensional, there is no view, an interval of the view is
            empty, or `size` is under 2.
        TypeError: an argument has the wrong type.

    Example:
        >>> from jaxtricks.surfaces import quadratic
        >>> grid(quadratic((2.0, 0.0)), size=3, view=((-1.0, 1.0), (0.0, 1.0))).loss[0].tolist()
        [1.0, 0.0, 1.0]
    """
    check_instance("surface", surface, Surface)
    check_integer("size", size, low=2)
    check_array_size("size", size, (size, size))
    view = surface.view if view is None else view
    if jnp.shape(surface.start) != (2,) or view is None:
        raise ValueError(
            f"surface must have points of shape (2,) and a view, got points of shape "
            f"{jnp.shape(surface.start)} and the view {view}."
        )
    check_pair("view", view)
    for axis, interval in enumerate(view):
        check_pair(f"view[{axis}]", interval)
        check_range(f"view[{axis}][0]", interval[0])
        check_range(f"view[{axis}][1]", interval[1], above=interval[0])
    x, y = (jnp.linspace(low, high, size) for low, high in view)

    def at(column: Float[Array, ""], row: Float[Array, ""]) -> Float[Array, ""]:
        return surface(jnp.stack([column, row]))

    loss = jax.vmap(lambda row: jax.vmap(lambda column: at(column, row))(x))(y)
    return Grid(x, y, loss)
