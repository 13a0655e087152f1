"""The axes along which the statistics of a normalization layer vary, such as the channels."""


def statistics_axes(axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Returns the axes along which the statistics vary, counted from 0 and in increasing order.

    The mean and the variance are taken over all the other axes.

    Args:
        axis: the `axis` of a batch-norm layer: one axis or several; negative axes count from the
            last.
        ndim: number of axes of the input.

    Raises:
        ValueError: the input has fewer than two axes, `axis` names an axis that the input does not
            have or the same axis twice, or no axis is left to take the mean over.

    Example:
        >>> statistics_axes(-1, 4), statistics_axes((-1, 1), 4)
        ((3,), (1, 3))
    """
    given = axis if isinstance(axis, tuple) else (axis,)
    if ndim < 2:
        raise ValueError(f"x must have at least two axes, got {ndim}.")
    if not given or not all(-ndim <= one < ndim for one in given):
        raise ValueError(f"axis must name axes of the input, which has {ndim}, got {axis}.")
    own = tuple(sorted(one % ndim for one in given))
    if len(set(own)) != len(own) or len(own) == ndim:
        raise ValueError(f"axis must name different axes, and not all {ndim}, got {axis}.")
    return own
