"""An initializer that balances the variance of the signal and of the gradient."""

from jax.nn.initializers import Initializer

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.initializers._fans import Axes
from jaxtricks.initializers._scaled import Distribution, scaled


def xavier(
    gain: ScalarLike = 1.0,
    *,
    distribution: Distribution = "normal",
    groups: int = 1,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""Makes an initializer for tanh, with variance $g^2 \cdot 2 / (N_\text{in} + N_\text{out})$.

    $N_\text{in}$ is the number of inputs of each output, and $N_\text{out}$ the number of outputs
    of each input (see `fans`). With weights of variance $\sigma^2$ a linear layer keeps the
    variance of the signal if $N_\text{in} \sigma^2 = 1$, and that of the gradient if
    $N_\text{out} \sigma^2 = 1$. Both hold only if $N_\text{in} = N_\text{out}$. The variance above
    is a compromise: with $g = 1$ the variance of the signal is multiplied by
    $2 N_\text{in} / (N_\text{in} + N_\text{out})$, and that of the gradient by
    $2 N_\text{out} / (N_\text{in} + N_\text{out})$. It is meant for activations with slope 1 at 0
    and mean 0, such as tanh. It does not fit the sigmoid, which has slope 1/4 and mean 1/2. ReLU
    halves the mean square and so needs twice the variance: see `he`.

    Args:
        gain: $g$, at least 0.
        distribution: "normal", "uniform" (on $\pm\sqrt{6 / (N_\text{in} + N_\text{out})}$ with gain
            1) or "truncated_normal".
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
        >>> weights = xavier(distribution="uniform")(jax.random.key(0), (200, 100))
        >>> bool(abs(weights).max() < (6 / 300) ** 0.5), round(float(weights.var() * 150), 1)
        (True, 1.0)

    References:
        Glorot and Bengio, [Understanding the difficulty of training deep feedforward neural
        networks](https://proceedings.mlr.press/v9/glorot10a.html), 2010, eq. 12 and 16.
    """
    check_range("gain", gain, low=0.0)
    return scaled(
        lambda n_in, n_out: gain**2 * 2 / (n_in + n_out),
        distribution,
        groups,
        in_axis,
        out_axis,
        batch_axis,
    )
