"""An initializer that keeps the variance of the signal."""

from jax.nn.initializers import Initializer

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.initializers._fans import Axes
from jaxtricks.initializers._scaled import Distribution, scaled


def lecun(
    gain: ScalarLike = 1.0,
    *,
    distribution: Distribution = "normal",
    groups: int = 1,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""Makes an initializer with variance $g^2 / N_\text{in}$, which keeps that of the signal.

    The weights have mean 0 and variance $g^2 / N_\text{in}$, where $N_\text{in}$ is the number of
    inputs of each output (see `fans`). The output of a linear layer then has $g^2$ times the
    variance of its input. The gain $\sqrt{1/3}$ with the distribution "uniform" gives
    $U(\pm 1 / \sqrt{N_\text{in}})$, which Glorot and Bengio call "commonly used" and PyTorch uses
    for dense layers.

    Args:
        gain: $g$, at least 0.
        distribution: "normal", "uniform" or "truncated_normal".
        groups: number of groups of a grouped convolution; it changes nothing here.
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
        >>> weights = lecun()(jax.random.key(0), (400, 100))
        >>> round(float(weights.var() * 400), 1)
        1.0

    References:
        LeCun et al., [Efficient BackProp](https://doi.org/10.1007/3-540-49430-8_2), 1998, eq. 16.
    """
    check_range("gain", gain, low=0.0)
    return scaled(
        lambda n_in, n_out: gain**2 / n_in, distribution, groups, in_axis, out_axis, batch_axis
    )
