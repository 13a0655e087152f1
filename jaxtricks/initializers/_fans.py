"""The number of inputs of each output of a layer, and of outputs of each input."""

import math
from collections.abc import Sequence

from typing_extensions import TypeAliasType

from jaxtricks._array_size import check_array_size
from jaxtricks._check_static import check_static, check_static_integer
from jaxtricks._checks import check_instance, check_integer

Axes = TypeAliasType("Axes", int | Sequence[int])


def fans(
    shape: Sequence[int],
    *,
    groups: int = 1,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> tuple[float, float]:
    r"""Counts the inputs of each output (fan in) and the outputs of each input (fan out).

    A kernel has the axes `[*window, in, out]`. $N_\text{in} = \prod \text{window} \cdot \text{in}$
    and $N_\text{out} = \prod \text{window} \cdot \text{out} / \text{groups}$: the kernel of a
    grouped convolution in Flax already has the inputs of only one group, but the outputs of all
    groups. With strides an input reaches fewer outputs than this counts, which the literature
    ignores too.

    For another order of the axes pass `in_axis`, `out_axis` and `batch_axis`, which mean the same
    as in `jax.nn.initializers`; the remaining axes are the window. The kernel of
    `nn.ConvTranspose(transpose_kernel=True)` is `[*window, out, in]`. The kernel of `nn.Embed` is
    `[in, out]`, but only one input counts at a time. For that reason Flax initializes it with
    `out_axis=0`, so that $N_\text{in}$ is the size of `out`.

    Args:
        shape: shape of the kernel: `(in, out)` for a dense layer,
            `(height, width, in / groups, out)` for a convolution.
        groups: `feature_group_count` of the convolution, which must divide `out`.
        in_axis: axis or axes that count the inputs.
        out_axis: axis or axes that count the outputs.
        batch_axis: axis or axes along which independent kernels are stacked.

    Returns:
        The pair of $N_\text{in}$ and $N_\text{out}$.

    Raises:
        ValueError: the shape has fewer than two axes or a size under 1, `groups` is less than 1 or
            does not divide the outputs, or `in_axis`, `out_axis` or `batch_axis` is not an axis of
            the shape or names one twice.
        TypeError: the shape is not a sequence, or a number is traced or not an integer.

    Example:
        >>> fans((784, 256)), fans((3, 3, 16, 64)), fans((3, 3, 1, 64), groups=64)
        ((784.0, 256.0), (144.0, 576.0), (9.0, 9.0))
        >>> fans((3, 3, 64, 16), in_axis=-1, out_axis=-2), fans((10, 784, 256), batch_axis=0)
        ((144.0, 576.0), (784.0, 256.0))

    References:
        He et al., [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852), 2015, section
        2.2.
    """
    check_instance("shape", shape, Sequence)
    if len(shape) < 2:
        raise ValueError(f"shape must have at least two axes, got {tuple(shape)}.")
    for index, size in enumerate(shape):
        check_static_integer(f"shape[{index}]", size, low=1)
    check_array_size("shape", tuple(shape), shape)
    check_static_integer("groups", groups, low=1)
    inputs = _entries("in_axis", in_axis, shape)
    outputs = _entries("out_axis", out_axis, shape)
    if outputs % groups:
        raise ValueError(f"groups must divide the {outputs} outputs, got {groups}.")
    area = math.prod(shape) / (inputs * outputs * _entries("batch_axis", batch_axis, shape))
    return area * inputs, area * (outputs // groups)


def check_axes(name: str, axes: object) -> None:
    """Checks one axis or a sequence of axes.

    Raises:
        TypeError: an axis is traced or not an integer.
    """
    for axis in axes if isinstance(axes, Sequence) else (axes,):
        check_static(name, axis)
        check_integer(name, axis)


def _entries(name: str, axes: Axes, shape: Sequence[int]) -> int:
    """Returns the product of the sizes of some axes.

    Raises:
        ValueError: one of them is not an axis of the shape, or is named twice.
    """
    check_axes(name, axes)
    rank = len(shape)
    chosen = list(axes) if isinstance(axes, Sequence) else [axes]
    if not all(-rank <= axis < rank for axis in chosen):
        raise ValueError(f"{name} must be axes of the shape {tuple(shape)}, got {axes}.")
    if len({axis % rank for axis in chosen}) < len(chosen):
        raise ValueError(f"{name} must name each axis once, got {axes}.")
    return math.prod(shape[axis] for axis in chosen)
