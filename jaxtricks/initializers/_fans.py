"""How many inputs each output of a layer has, and how many outputs each input has."""

import math
from collections.abc import Sequence

from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_instance, check_integer


def fans(shape: Sequence[int], *, groups: int = 1) -> tuple[float, float]:
    r"""Inputs of each output, and outputs of each input, of a kernel `[*window, in, out]`.

    $N_\text{in} = \prod \text{window} \cdot \text{in}$ and
    $N_\text{out} = \prod \text{window} \cdot \text{out} / \text{groups}$: Flax's kernel of a
    grouped convolution already has the inputs of one group only, but the outputs of all. With
    strides an input reaches fewer outputs than this counts, as everywhere in the literature.

    Args:
        shape: of the kernel of a dense layer, `(in, out)`, or of a convolution,
            `(height, width, in / groups, out)`.
        groups: `feature_group_count` of the convolution, which divides `out`.

    Raises:
        ValueError: the shape has fewer than two axes, an axis is under 1, `groups` is under 1 or
            does not divide the outputs.
        TypeError: the shape is not a sequence, or a number is not an integer.

    Example:
        >>> fans((784, 256)), fans((3, 3, 16, 64)), fans((3, 3, 1, 64), groups=64)
        ((784.0, 256.0), (144.0, 576.0), (9.0, 9.0))

    References:
        He et al., [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852), 2015, section
        2.2.
    """
    check_instance("shape", shape, Sequence)
    if len(shape) < 2:
        raise ValueError(f"shape must have at least two axes, got {tuple(shape)}.")
    for index, size in enumerate(shape):
        check_integer(f"shape[{index}]", size, low=1)
    check_array_size("shape", tuple(shape), shape)
    check_integer("groups", groups, low=1)
    *window, inputs, outputs = shape
    if outputs % groups:
        raise ValueError(f"groups must divide the {outputs} outputs, got {groups}.")
    area = math.prod(window)
    return float(area * inputs), float(area * outputs // groups)
