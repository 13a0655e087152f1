"""A surface as a picture's height field."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_instance, check_integer, check_pair, check_range
from jaxtricks.surfaces._surface import Interval, Surface


class Grid(NamedTuple):
    """`x`, `y`: the axes; `loss[i, j]` is the loss at `(x[j], y[i])`, as contour plots want it."""

    x: Float[Array, " columns"]
    y: Float[Array, " rows"]
    loss: Float[Array, "rows columns"]


def grid(
    surface: Surface, *, size: int = 200, view: tuple[Interval, Interval] | None = None
) -> Grid:
    """Evaluates a two-dimensional surface on `size` x `size` points of its view.

    Args:
        surface: a surface over the plane.
        size: points per axis, at least 2.
        view: `((xmin, xmax), (ymin, ymax))`, the surface's own if None.

    Raises:
        ValueError: the surface is not two-dimensional, there is no view or an empty one, or `size`
            is under 2.
        TypeError: an argument is of another kind.

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
            f"grid needs a surface over the plane and a view, got points of shape "
            f"{jnp.shape(surface.start)} and view {view}."
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
