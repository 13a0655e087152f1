"""How many inputs each output of a layer has, and how many outputs each input has."""

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
    r"""Inputs of each output, and outputs of each input, of a kernel `[*window, in, out]`.

    $N_\text{in} = \prod \text{window} \cdot \text{in}$ and
    $N_\text{out} = \prod \text{window} \cdot \text{out} / \text{groups}$: Flax's kernel of a
    grouped convolution already has the inputs of one group only, but the outputs of all. With
    strides an input reaches fewer outputs than this counts, as everywhere in the literature.

    Other orders of the axes are given as to `jax.nn.initializers`; those that are not named are the
    window. The kernel of `nn.ConvTranspose(transpose_kernel=True)` is `[*window, out, in]`. That of
    `nn.Embed` is `[in, out]`, but only one input counts at a time. Flax therefore gives its own
    initializer `out_axis=0` there, by which the fan in is `out`.

    Args:
        shape: of the kernel of a dense layer, `(in, out)`, or of a convolution,
            `(height, width, in / groups, out)`.
        groups: `feature_group_count` of the convolution, which divides `out`.
        in_axis: the axis or axes of the inputs.
        out_axis: the axis or axes of the outputs.
        batch_axis: the axis or axes of a stack of kernels that do not see each other.

    Raises:
        ValueError: the shape has fewer than two axes, an axis is under 1, `groups` is under 1 or
            does not divide the outputs, or `in_axis`, `out_axis` or `batch_axis` is none of the
            shape's.
        TypeError: the shape is not a sequence, or a number is not an integer, or a traced one.

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
    """Checks an axis, or axes in a row.

    Raises:
        TypeError: it is not made of integers, or of traced ones.
    """
    for axis in axes if isinstance(axes, Sequence) else (axes,):
        check_static(name, axis)
        check_integer(name, axis)


def _entries(name: str, axes: Axes, shape: Sequence[int]) -> int:
    """The product of the sizes of some axes.

    Raises:
        ValueError: one is none of the shape's, or is named twice.
    """
    check_axes(name, axes)
    rank = len(shape)
    chosen = list(axes) if isinstance(axes, Sequence) else [axes]
    if not all(-rank <= axis < rank for axis in chosen):
        raise ValueError(f"{name} must be axes of the shape {tuple(shape)}, got {axes}.")
    if len({axis % rank for axis in chosen}) < len(chosen):
        raise ValueError(f"{name} must name each axis once, got {axes}.")
    return math.prod(shape[axis] for axis in chosen)
