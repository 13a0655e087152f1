"""Keeping the variance of signals and of gradients, as far as one number can."""

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
    r"""Draws with variance $g^2 \cdot 2 / (N_\text{in} + N_\text{out})$.

    A layer keeps the variance of what it passes forward if $N_\text{in} \sigma^2 = 1$, and of the
    gradient that it passes back if $N_\text{out} \sigma^2 = 1$. Both hold only if the fans are
    equal; this is the compromise, and the variances are multiplied by
    $2 N_\text{in} / (N_\text{in} + N_\text{out})$ forward and
    $2 N_\text{out} / (N_\text{in} + N_\text{out})$ back. It is meant for activations of slope 1 at
    0 and mean 0, such as tanh; the sigmoid has the slope 1/4 and a mean of 1/2.

    For ReLU, which halves the mean square, the variance has to be doubled: see `he`.

    Args:
        gain: $g$, at least 0.
        distribution: "normal", "uniform" (on $\pm\sqrt{6 / (N_\text{in} + N_\text{out})}$ at gain
            1) or "truncated_normal".
        groups: of a grouped convolution, Flax's `feature_group_count`, which the kernel's shape
            does not tell.
        in_axis: the kernel's axis or axes of inputs; -1 for the kernel of
            `nn.ConvTranspose(transpose_kernel=True)`, whose `out_axis` is -2.
        out_axis: axis or axes of the outputs.
        batch_axis: axes along which independent kernels are stacked; they count for neither fan.

    Raises:
        ValueError: the gain is negative, the distribution unknown, `groups` under 1; and, when
            called, the shape is not that of a kernel (see `fans`).

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
