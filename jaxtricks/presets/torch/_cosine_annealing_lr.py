"""The schedule `torch.optim.lr_scheduler.CosineAnnealingLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import cosine_between
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def cosine_annealing_lr(
    initial_rate: ScalarLike, T_max: int, eta_min: ScalarLike = 0.0
) -> Schedule:
    r"""Returns PyTorch's `CosineAnnealingLR`: a cosine wave with a period of `2 * T_max` epochs.

    $\alpha_t = \eta_{\min} + \frac12 (\alpha_0 - \eta_{\min}) (1 + \cos(\pi t / T_{\max}))$ for all
    $t$. As in PyTorch, the learning rate does not stay at $\eta_{\min}$ after `T_max` but rises
    again. For a schedule that stays there use `jaxtricks.schedules.cosine_decay`. $t$ counts
    epochs, or updates if the schedule is the `lr` of an optimizer: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        T_max: $T_{\max} \ge 1$, half the period in epochs.
        eta_min: $\eta_{\min} \ge 0$, the lowest learning rate.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `T_max` is not an integer.

    Example:
        >>> rate = cosine_annealing_lr(1.0, T_max=2)
        >>> [round(float(rate(epoch)), 3) for epoch in range(6)]
        [1.0, 0.5, 0.0, 0.5, 1.0, 0.5]

    References:
        PyTorch's
        [`CosineAnnealingLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html);
        Loshchilov and Hutter, [SGDR](https://arxiv.org/abs/1608.03983), 2017.
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_integer("T_max", T_max, low=1)
    check_range("eta_min", eta_min, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        half = jnp.asarray(T_max, count.dtype)
        number = jnp.floor_divide(count, half)
        phase = count - number * half  # as integers, so that large counts lose no digits
        left = jnp.where(number % 2 == 0, half - phase, phase)
        done = jnp.float32(half - left) / jnp.float32(half)
        return cosine_between(initial_rate, eta_min, done, jnp.float32(left) / jnp.float32(half))

    return schedule
