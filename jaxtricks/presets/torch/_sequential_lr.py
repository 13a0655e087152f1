"""The schedule `torch.optim.lr_scheduler.SequentialLR`."""

from collections.abc import Sequence

from jaxtricks._check_increasing import check_increasing
from jaxtricks._checks import check_function, check_instance
from jaxtricks.schedules import Schedule, join


def sequential_lr(schedulers: Sequence[Schedule], milestones: Sequence[int]) -> Schedule:
    r"""Returns PyTorch's `SequentialLR`: one schedule after the other, from milestone to milestone.

    $\alpha_t = s_i(t - m_i)$ for $m_i \le t < m_{i+1}$, with $m_0 = 0$. Each schedule counts from
    its milestone and begins with its own `initial_rate`, whatever the learning rate was before. $t$
    counts epochs, or updates if the schedule is the `lr` of an optimizer: see `step_lr`.

    Args:
        schedulers: $s_0, s_1, \dots$, one schedule or more, each made with the `lr` of the
            optimizer as its `initial_rate`.
        milestones: $m_1 < m_2 < \dots$, epochs, each at least 0; there is one fewer than schedules.

    Raises:
        ValueError: the lengths do not fit, there is no schedule, or the milestones are negative or
            not increasing.
        TypeError: a milestone is not an integer, or a schedule is not a function from a count to a
            number.

    Example:
        >>> from jaxtricks.presets.torch import exponential_lr, linear_lr
        >>> warmup = linear_lr(1.0, start_factor=0.25, total_iters=3)
        >>> rate = sequential_lr([warmup, exponential_lr(1.0, 0.5)], milestones=[3])
        >>> [float(rate(epoch)) for epoch in range(6)]
        [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]

    References:
        PyTorch's
        [`SequentialLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html).
    """
    check_instance("schedulers", schedulers, Sequence)
    for place, scheduler in enumerate(schedulers):
        check_function(f"schedulers[{place}]", scheduler)
    check_increasing("milestones", milestones, low=0, empty=True)
    if len(schedulers) != len(milestones) + 1:
        raise ValueError(
            f"milestones must be one fewer than the {len(schedulers)} schedulers, got {milestones}."
        )
    return join(schedulers, milestones)
