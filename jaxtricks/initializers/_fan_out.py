"""An initializer that keeps the variance of the gradient."""

from jax.nn.initializers import Initializer

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.initializers._fans import Axes
from jaxtricks.initializers._scaled import Distribution, scaled


def fan_out(
    gain: ScalarLike = 1.0,
    *,
    distribution: Distribution = "normal",
    groups: int = 1,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""Makes an initializer with variance $g^2 / N_\text{out}$, which keeps that of the gradient.

    The weights have mean 0 and variance $g^2 / N_\text{out}$, where $N_\text{out}$ is the number of
    outputs of each input (see `fans`). The gradient with respect to the input of a linear layer
    then has $g^2$ times the variance of the gradient with respect to its output.

    Args:
        gain: $g$, at least 0.
        distribution: "normal", "uniform" or "truncated_normal".
        groups: number of groups of a grouped convolution, Flax's `feature_group_count`, which
            cannot be read off the kernel's shape.
        in_axis: axis or axes of the kernel that count the inputs. For
            `nn.ConvTranspose(transpose_kernel=True)` it is -1, and `out_axis` is -2.
        out_axis: axis or axes of the kernel that count the outputs.
        batch_axis: axis or axes along which independent kernels are stacked; they are part of
            neither fan.

    Raises:
        ValueError: `gain` is negative or not finite, `distribution` is unknown, or `groups` is less
            than 1; when the initializer is called, the shape is not that of a kernel (see `fans`).
        TypeError: `groups`, or an axis of the kernel, is traced or not an integer.

    Example:
        >>> import jax
        >>> weights = fan_out()(jax.random.key(0), (100, 400))
        >>> round(float(weights.var() * 400), 1)
        1.0

    References:
        Glorot and Bengio, [Understanding the difficulty of training deep feedforward neural
        networks](https://proceedings.mlr.press/v9/glorot10a.html), 2010, eq. 11.
    """
    check_range("gain", gain, low=0.0)
    return scaled(
        lambda n_in, n_out: gain**2 / n_out, distribution, groups, in_axis, out_axis, batch_axis
    )
