"""He's initialization: twice the variance, because ReLU sets half of the values to 0."""

from typing import Literal

from jax.nn.initializers import Initializer

from jaxtricks._checks import check_choice, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.initializers._fans import Axes
from jaxtricks.initializers._scaled import Distribution, scaled


def he(
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    *,
    distribution: Distribution = "normal",
    negative_slope: ScalarLike = 0.0,
    groups: int = 1,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""Makes an initializer for ReLU or leaky ReLU, with variance $\frac{2}{1 + a^2} / N$.

    $a$ is the slope of the activation for negative inputs. Its output has $\frac{1 + a^2}{2}$ times
    the mean square of its input. $N$ is $N_\text{in}$, the number of inputs of each output, which
    keeps the mean square of the signal; $N_\text{out}$, the number of outputs of each input, which
    keeps that of the gradient; or, as a compromise, the mean of the two, which gives the variance
    $4 / (N_\text{in} + N_\text{out})$ for $a = 0$. `fans` computes $N_\text{in}$ and
    $N_\text{out}$.

    Args:
        mode: which $N$ to use: "fan_in" ($N_\text{in}$) or "fan_out" ($N_\text{out}$) as in He et
            al., or "fan_avg", their mean.
        distribution: "normal", "uniform" or "truncated_normal".
        negative_slope: $a$; 0 for ReLU, 1 for no activation.
        groups: number of groups of a grouped convolution, Flax's `feature_group_count`, which
            cannot be read off the kernel's shape.
        in_axis: axis or axes of the kernel that count the inputs. For
            `nn.ConvTranspose(transpose_kernel=True)` it is -1, and `out_axis` is -2.
        out_axis: axis or axes of the kernel that count the outputs.
        batch_axis: axis or axes along which independent kernels are stacked; they are part of
            neither fan.

    Raises:
        ValueError: `mode` or `distribution` is unknown, `negative_slope` is not finite, or `groups`
            is less than 1; when the initializer is called, the shape is not that of a kernel (see
            `fans`).
        TypeError: `groups`, or an axis of the kernel, is traced or not an integer.

    Example:
        >>> import jax
        >>> x = jax.random.normal(jax.random.key(0), (100, 500))
        >>> for key in jax.random.split(jax.random.key(1), 30):
        ...     x = jax.nn.relu(x @ he()(key, (500, 500)))
        >>> 0.3 < float((x**2).mean()) < 3
        True

    References:
        He et al., [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852), 2015, eq. 10,
        14 and 15.
    """
    check_choice("mode", mode, ("fan_in", "fan_out", "fan_avg"))
    check_range("negative_slope", negative_slope)

    def variance(n_in: float, n_out: float) -> ScalarLike:
        fan = {"fan_in": n_in, "fan_out": n_out, "fan_avg": (n_in + n_out) / 2}[mode]
        return 2 / (1 + negative_slope**2) / fan

    return scaled(variance, distribution, groups, in_axis, out_axis, batch_axis)
