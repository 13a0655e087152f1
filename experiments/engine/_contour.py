"""Loss surfaces seen from above, and paths on them."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from experiments.engine._style import METHODS

PATH_EDGE = "white"


def surface_grid(surface, view=None, *, points: int = 61) -> dict[str, np.ndarray]:
    """The losses of a 2-D surface on a grid over `view`, for the results: keys `x`, `y`, `loss`."""
    (left, right), (bottom, top) = view or surface.view
    x, y = np.linspace(left, right, points), np.linspace(bottom, top, points)
    grid = jnp.asarray(np.stack(np.meshgrid(x, y), axis=-1))
    return {"x": x, "y": y, "loss": np.asarray(jax.jit(jax.vmap(jax.vmap(surface)))(grid))}


def draw_surface(
    axes: Axes,
    grid: dict[str, np.ndarray],
    *,
    start: ArrayLike | None = None,
    optimum: ArrayLike | None = None,
    logarithmic: bool = False,
    names: tuple[str, str] = ("$w_1$", "$w_2$"),
    bar: bool = True,
) -> None:
    """Filled contours, redder = lower loss as in the lecture; start a circle, optimum a star.

    Args:
        axes: where to draw.
        grid: from `surface_grid`.
        start: the common start.
        optimum: the minimum, where there is one.
        logarithmic: whether levels are equal steps of log10(loss - minimum + 1e-3).
        names: the labels of both coordinates.
        bar: whether to draw the colour bar.
    """
    loss = np.asarray(grid["loss"])
    shown = np.log10(loss - loss.min() + 1e-3) if logarithmic else loss
    filled = axes.contourf(grid["x"], grid["y"], shown, levels=24, cmap="RdYlBu", alpha=0.75)
    axes.contour(
        grid["x"], grid["y"], shown, levels=12, colors="white", linewidths=0.5, linestyles="-"
    )
    if bar:
        label = "log10 (loss − minimum + 0.001)" if logarithmic else "loss"
        axes.figure.colorbar(filled, ax=axes, label=label, shrink=0.9)
    if start is not None:
        axes.plot(*np.asarray(start), "o", mfc="white", mec="black", ms=8, zorder=5, label="start")
    if optimum is not None:
        axes.plot(
            *np.asarray(optimum), "*", mfc="#F0E442", mec="black", ms=13, zorder=5, label="optimum"
        )
    axes.grid(False)
    axes.set(
        xlabel=names[0],
        ylabel=names[1],
        xlim=(grid["x"][0], grid["x"][-1]),
        ylim=(grid["y"][0], grid["y"][-1]),
    )


def draw_path(
    axes: Axes, points: ArrayLike, name: str, *, label: str | None = None, every: int = 1
) -> None:
    """A path with a marker at each `every`-th update, in the colour of method `name`."""
    look, points = METHODS[name], np.asarray(points)
    axes.plot(points[:, 0], points[:, 1], color=PATH_EDGE, linewidth=2.6, alpha=0.7, zorder=3)
    axes.plot(
        points[:, 0],
        points[:, 1],
        color=look.color,
        linestyle=look.linestyle,
        marker=look.marker,
        markersize=3.5,
        markevery=every,
        markeredgecolor="white",
        markeredgewidth=0.3,
        label=label or name,
        zorder=4,
    )
