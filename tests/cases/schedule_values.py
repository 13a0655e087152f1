"""What the formula of each schedule gives in float64, and settings that are hard for float32.

Each formula is the published one, written so that float64 itself loses no digits near an end: the
cosine's `(1 + cos(pi * t / T)) / 2` is the square of a sine of the steps left. Presets have the
frameworks' closed forms; their golden tables hold the forms.
"""

import decimal
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxtricks import presets, schedules

LAST = 2**31 - 1


class Exact(NamedTuple):
    """`formula(t, **setting)`: float64 values at integers `t`; `ends`: counts to look close at."""

    formula: Callable[..., np.ndarray]
    settings: Sequence[Mapping[str, object]]
    ends: Callable[..., Sequence[int]] = lambda **setting: []


def wave(first, last, elapsed, length):
    """The half cosine wave from `first` to `last`."""
    left, done = (length - elapsed) / length, elapsed / length
    return first * np.sin(np.pi / 2 * left) ** 2 + last * np.sin(np.pi / 2 * done) ** 2


def line(first, last, elapsed, length):
    return (first * (length - elapsed) + last * elapsed) / length


def total(t, length, form, first, last):
    """`form` from `first` to `last` over `length` updates; a length of 0 is over at once."""
    return form(first, last, np.minimum(t, length), length) if length else last + 0.0 * t


def cosine_decay(t, initial, total_steps, final=0.0, exponent=1.0):
    done = np.minimum(t, total_steps) / total_steps if total_steps else np.ones(len(t))
    left = (total_steps - np.minimum(t, total_steps)) / max(total_steps, 1)
    weight = np.sin(np.pi / 2 * left) ** (2 * exponent)
    with np.errstate(divide="ignore"):
        after = -np.expm1(exponent * np.log1p(-(np.sin(np.pi / 2 * done) ** 2)))
    return initial * weight + final * np.where(done < 0.5, after, 1 - weight)


def linear_decay(t, initial, total_steps, final=0.0):
    return total(t, total_steps, line, initial, final)


def polynomial_decay(t, initial, total_steps, final=0.0, power=1.0):
    left = (total_steps - np.minimum(t, total_steps)) / max(total_steps, 1)
    return final + (initial - final) * left**power


def geometric_decay(t, initial, final, total_steps):
    if total_steps == 0:
        return final + 0.0 * t
    done = np.minimum(t, total_steps) / total_steps
    return initial * np.exp(np.log(final / initial) * done)


def linear_warmup(t, peak, warmup_steps, start="first_step"):
    time = t + (start == "first_step")
    return peak * np.minimum(time, warmup_steps) / warmup_steps if warmup_steps else peak + 0.0 * t


def noam(t, model_size, warmup_steps=4000, scale=1.0):
    time = t + 1.0
    rise = time * warmup_steps**-1.5 if warmup_steps else np.inf
    return scale * model_size**-0.5 * np.minimum(time**-0.5, rise)


def begins(first, multiplier):
    """The counts at which cycles begin, in Python's integers."""
    lengths = (first * multiplier**i for i in itertools.count())
    starts = itertools.accumulate(lengths, initial=0)
    yield from itertools.takewhile(lambda start: start <= LAST, starts)


def cosine_restarts(
    t, initial, first_steps, multiplier=1, final=0.0, peak_factor=1.0, final_factor=1.0
):
    if multiplier == 1:
        cycle = t // first_steps
        elapsed, length = t % first_steps, first_steps
    else:
        starts = np.array(list(begins(first_steps, multiplier)))
        cycle = np.searchsorted(starts, t, side="right") - 1
        elapsed, length = t - starts[cycle], first_steps * np.float64(multiplier) ** cycle
    return wave(initial * peak_factor**cycle, final * final_factor**cycle, elapsed, length)


def restarts(first_steps, multiplier=1, **others):
    if multiplier == 1:
        return [first_steps, 2 * first_steps, LAST // first_steps * first_steps]
    return [*begins(first_steps, multiplier)][1:]


def cosine_annealing_lr(t, initial_rate, T_max, eta_min=0.0):
    phase = t % (2 * T_max)
    return wave(initial_rate, eta_min, np.minimum(phase, 2 * T_max - phase), T_max)


def linear_lr(t, initial_rate, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    if total_iters == 0:
        return initial_rate * start_factor + 0.0 * t
    return initial_rate * line(start_factor, end_factor, np.minimum(t, total_iters), total_iters)


def polynomial_lr(t, initial_rate, total_iters=5, power=1.0):
    if total_iters == 0:
        return initial_rate + 0.0 * t
    return initial_rate * ((total_iters - np.minimum(t, total_iters)) / total_iters) ** power


def cyclic_lr(t, base_lr, max_lr, step_size_up=2000, step_size_down=None, **height):
    down = step_size_down or step_size_up
    cycle, phase = t // (step_size_up + down), t % (step_size_up + down)
    rise = np.where(
        phase <= step_size_up, phase / step_size_up, (step_size_up + down - phase) / down
    )
    scale = {
        "triangular": 1.0,
        "triangular2": 0.5**cycle,
        "exp_range": np.float64(height.get("gamma", 1.0)) ** t,
    }[height.get("mode", "triangular")]
    if "scale_fn" in height:
        scale = height["scale_fn"](cycle + 1.0)
    return base_lr + (max_lr - base_lr) * rise * scale


def one_cycle_lr(
    t,
    max_lr,
    total_steps,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
):
    """The phases of PyTorch's documentation, from the last to the first."""
    first = max_lr / div_factor
    form = wave if anneal_strategy == "cos" else line
    rise = pct_start * total_steps - 1
    ends = [0, rise, *([2 * rise] if three_phase else []), total_steps - 1]
    rates = [first, max_lr, *([first] if three_phase else []), first / final_div_factor]
    t = np.minimum(t, total_steps - 1)
    phases = [
        form(rates[i], rates[i + 1], t - ends[i], (ends[i + 1] - ends[i]) or 1)
        for i in range(len(ends) - 1)
    ]
    return np.select([t <= end for end in ends[1:]], phases)


def keras_polynomial_decay(
    t, initial_learning_rate, decay_steps, end_learning_rate=1e-4, power=1.0, cycle=False
):
    total = decay_steps * np.maximum(-(-t // decay_steps), 1) if cycle else decay_steps
    left = (total - np.minimum(t, total)) / total
    return end_learning_rate + (initial_learning_rate - end_learning_rate) * left**power


def keras_cosine_decay(
    t, initial_learning_rate, decay_steps, alpha=0.0, warmup_target=None, warmup_steps=0
):
    if warmup_target is None:
        warmup_target, warmup_steps = initial_learning_rate, 0
    rise = line(initial_learning_rate, warmup_target, t, max(warmup_steps, 1))
    elapsed = np.clip(t - warmup_steps, 0, decay_steps)
    fall = wave(warmup_target, warmup_target * alpha, elapsed, decay_steps)
    return np.where(t < warmup_steps, rise, fall)


@functools.cache
def keras_starts(first_decay_steps, t_mul):
    """The counts at which cycles begin, up to the first after the last count."""
    if t_mul == 1:
        return [LAST // first_decay_steps * first_decay_steps]
    with decimal.localcontext(prec=60):
        starts, length = [decimal.Decimal(0)], decimal.Decimal(first_decay_steps)
        while starts[-1] <= LAST:
            starts.append(starts[-1] + length)
            length *= decimal.Decimal(t_mul)
    return [float(start) for start in starts]


def keras_restarts(t, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0):
    if t_mul == 1:
        cycle, elapsed, length = t // first_decay_steps, t % first_decay_steps, first_decay_steps
    else:
        starts = np.array(keras_starts(first_decay_steps, t_mul))
        cycle = np.searchsorted(starts, t, side="right") - 1
        elapsed, length = t - starts[cycle], starts[cycle + 1] - starts[cycle]
    peak = alpha + (1 - alpha) * np.float64(m_mul) ** cycle
    return initial_learning_rate * wave(peak, alpha, elapsed, length)


def cuts(initial, factor, steps):
    """A factor at each of the steps."""
    return lambda t: initial * factor ** np.sum(t[:, None] >= np.array(steps), axis=1)


WARMED = {"schedule": schedules.cosine_decay(0.1, 10**8, final=1e-6), "start": "zero"}
JOINED = (schedules.exponential_decay(0.1, 1e-9), schedules.linear_decay(0.3, 10**8))

FOLLOWING = (
    presets.torch.linear_lr(0.1, total_iters=10**7),
    presets.torch.polynomial_lr(0.1, 10**8),
    presets.torch.cosine_annealing_lr(0.1, 10**8),
)


def shrink(epoch):
    """The factors whose product is `1 / sqrt(1 + t)`."""
    return (epoch / (epoch + 1)) ** 0.5


EXACT: dict[str, Exact] = {
    "constant": Exact(lambda t, value: value + 0.0 * t, [{"value": 0.1}]),
    "cosine_decay": Exact(
        cosine_decay,
        [
            {"initial": 0.1, "total_steps": 10**8},
            {"initial": 1e-3, "total_steps": LAST, "final": 3e-9},
            {"initial": 0.1, "total_steps": 7, "final": 0.3},
            {"initial": 0.1, "total_steps": 0, "final": 0.3},
            {"initial": 0.1, "total_steps": 10**8, "exponent": 0.3},
            {"initial": 1e-7, "total_steps": LAST, "final": 0.3, "exponent": 2.7},
            {"initial": 0.1, "total_steps": 0, "final": 0.3, "exponent": 2.0},
            {"initial": 0.1, "total_steps": 10**6, "final": 1e-9, "exponent": 50.0},
        ],
        lambda total_steps, **others: [total_steps],
    ),
    "step_decay": Exact(
        lambda t, initial, every_steps, factor, final=0.0: np.maximum(
            initial * factor ** (t // every_steps), final
        ),
        [
            {"initial": 0.1, "every_steps": 1, "factor": 0.99997},
            {"initial": 0.1, "every_steps": 3, "factor": 0.9999999},
            {"initial": 0.05, "every_steps": 30 * 10**6, "factor": 0.3},
            {"initial": 0.1, "every_steps": 4, "factor": 1.0},
            {"initial": 0.1, "every_steps": 4, "factor": 0.999, "final": 1e-5},
        ],
        lambda every_steps, **others: [every_steps, 2 * every_steps],
    ),
    "multistep_decay": Exact(
        lambda t, initial, boundaries, factor=0.1, final=0.0: np.maximum(
            cuts(initial, factor, boundaries)(t), final
        ),
        [
            {"initial": 0.1, "boundaries": (3, 10**8, LAST)},
            {"initial": 0.1, "boundaries": tuple(range(1, 400)), "factor": 0.987},
            {"initial": 0.1, "boundaries": (3, 10**8, LAST), "final": 5e-3},
        ],
        lambda boundaries, **others: boundaries[::100],
    ),
    "exponential_decay": Exact(
        lambda t, initial, rate, final=0.0: np.maximum(initial * np.exp(-rate * t), final),
        [
            *[{"initial": 0.1, "rate": rate} for rate in (0.69, 3e-5, 3.3e-7, 3.1e-8, 1e-9, 0.0)],
            {"initial": 0.1, "rate": 3e-5, "final": 1e-9},
        ],
    ),
    "geometric_decay": Exact(
        geometric_decay,
        [
            {"initial": 0.1, "final": 1e-9, "total_steps": 10**8},
            {"initial": 1.0, "final": 1e-30, "total_steps": LAST},
            {"initial": 1e-7, "final": 10.0, "total_steps": 1000},
            {"initial": 1e-7, "final": 10.0, "total_steps": 0},
            {"initial": 1e-20, "final": 1e20, "total_steps": 4},
            {"initial": 1e30, "final": 1e-30, "total_steps": 1000},
        ],
        lambda total_steps, **others: [total_steps],
    ),
    "inverse_time_decay": Exact(
        lambda t, initial, rate: initial / (1 + rate * t),
        [{"initial": 0.1, "rate": rate} for rate in (0.05, 3.3e-8, 0.0)],
    ),
    "cosine_restarts": Exact(
        cosine_restarts,
        [
            {"initial": 0.1, "first_steps": 10, "peak_factor": 0.99999},
            {"initial": 0.1, "first_steps": 10**8, "final": 1e-7, "peak_factor": 0.3},
            {
                "initial": 0.1,
                "first_steps": 1,
                "final": 0.01,
                "peak_factor": 0.9999999,
                "final_factor": 0.999999,
            },
            {"initial": 0.1, "first_steps": 10, "multiplier": 2, "peak_factor": 0.7},
            {"initial": 0.1, "first_steps": 7, "multiplier": 3, "final": 1e-6},
            {"initial": 0.1, "first_steps": 2148, "multiplier": 1000},
            {"initial": 0.1, "first_steps": 2**30 + 1, "multiplier": 2},
        ],
        restarts,
    ),
    "inverse_sqrt_decay": Exact(
        lambda t, initial, offset, final=0.0: np.maximum(initial / np.sqrt(t + offset), final),
        [
            *[{"initial": 0.1, "offset": offset} for offset in (1, 1e-3, 123_456_789.5)],
            {"initial": 0.1, "offset": 10, "final": 1e-4},
        ],
    ),
    "linear_decay": Exact(
        linear_decay,
        [
            {"initial": 0.1, "total_steps": 10**8},
            {"initial": 0.1, "total_steps": LAST, "final": 3e-10},
            {"initial": 0.1, "total_steps": 30_000_001, "final": 0.3},
            {"initial": 0.1, "total_steps": 0, "final": 0.3},
        ],
        lambda total_steps, **others: [total_steps],
    ),
    "polynomial_decay": Exact(
        polynomial_decay,
        [
            {"initial": 0.1, "total_steps": 10**8, "power": 0.9},
            {"initial": 0.1, "total_steps": LAST, "power": 3.3, "final": 1e-9},
            {"initial": 1e-7, "total_steps": 10**8, "power": 1.0, "final": 0.3},
            {"initial": 0.1, "total_steps": 0, "power": 2.0, "final": 0.3},
            {"initial": 0.1, "total_steps": 10**6, "final": 1e-9, "power": 50.0},
        ],
        lambda total_steps, **others: [total_steps],
    ),
    "linear_warmup": Exact(
        linear_warmup,
        [
            {"peak": 0.1, "warmup_steps": 10**8},
            {"peak": 0.1, "warmup_steps": LAST},
            {"peak": 0.1, "warmup_steps": LAST, "start": "zero"},
            {"peak": 0.1, "warmup_steps": 0},
            {"peak": 0.1, "warmup_steps": 0, "start": "zero"},
        ],
        lambda warmup_steps, **others: [warmup_steps],
    ),
    "noam": Exact(
        noam,
        [
            {"model_size": 512},
            {"model_size": 1024, "warmup_steps": 10**8, "scale": 3.0},
            {"model_size": 1024, "warmup_steps": LAST},
            {"model_size": 1024, "warmup_steps": 0},
        ],
        lambda warmup_steps=4000, **others: [warmup_steps],
    ),
    "with_warmup": Exact(
        lambda t, warmup_steps, **others: np.where(
            t < warmup_steps,
            0.1 * t / max(warmup_steps, 1),
            cosine_decay(np.maximum(t - warmup_steps, 0), 0.1, 10**8, 1e-6),
        ),
        [{**WARMED, "warmup_steps": 10**7}, {**WARMED, "warmup_steps": 0}],
        lambda warmup_steps, **others: [warmup_steps, warmup_steps + 10**8],
    ),
    "join": Exact(
        lambda t, boundaries, **others: np.where(
            t < boundaries[0],
            0.1 * np.exp(-1e-9 * t),
            linear_decay(np.maximum(t - boundaries[0], 0), 0.3, 10**8),
        ),
        [{"schedules": JOINED, "boundaries": (10**9,)}],
        lambda boundaries, **others: [*boundaries, boundaries[0] + 10**8],
    ),
    "torch.step_lr": Exact(
        lambda t, initial_rate, step_size, gamma: initial_rate * gamma ** (t // step_size),
        [
            {"initial_rate": 0.1, "step_size": 1, "gamma": 0.99997},
            {"initial_rate": 0.1, "step_size": 7, "gamma": 1.0000001},
            {"initial_rate": 0.1, "step_size": 10**8, "gamma": 0.0},
        ],
        lambda step_size, **others: [step_size, 2 * step_size],
    ),
    "torch.multistep_lr": Exact(
        lambda t, initial_rate, milestones, gamma: cuts(initial_rate, gamma, milestones)(t),
        [
            {"initial_rate": 0.1, "milestones": [10**8, 4, 4, 0, LAST], "gamma": 0.3},
            {"initial_rate": 0.1, "milestones": [3, 5], "gamma": 10.0},
        ],
        lambda milestones, **others: milestones,
    ),
    "torch.exponential_lr": Exact(
        lambda t, initial_rate, gamma: initial_rate * np.float64(gamma) ** t,
        [
            {"initial_rate": 1.0, "gamma": gamma}
            for gamma in (0.99997, 1 - 3.3e-8, 1 - 1e-9, 0.5, 0.0, 1.0, 1 + 3.3e-8, 1.1)
        ],
    ),
    "torch.cosine_annealing_lr": Exact(
        cosine_annealing_lr,
        [
            {"initial_rate": 0.1, "T_max": 10**8},
            {"initial_rate": 1e-7, "T_max": 3, "eta_min": 1.0},
            {"initial_rate": 1e-7, "T_max": LAST, "eta_min": 1.0},
        ],
        lambda T_max, **others: [T_max, 2 * T_max, LAST // T_max * T_max],
    ),
    "torch.cosine_annealing_warm_restarts": Exact(
        lambda t, initial_rate, T_0, T_mult=1, eta_min=0.0: cosine_restarts(
            t, initial_rate, T_0, T_mult, eta_min
        ),
        [
            {"initial_rate": 0.1, "T_0": 10**8, "eta_min": 1e-7},
            {"initial_rate": 0.1, "T_0": 10**6, "T_mult": 2},
        ],
        lambda T_0, T_mult=1, **others: restarts(T_0, T_mult),
    ),
    "torch.constant_lr": Exact(
        lambda t, initial_rate, factor, total_iters: (
            initial_rate * np.where((t < total_iters) | (total_iters == 0), factor, 1.0)
        ),
        [
            {"initial_rate": 0.1, "factor": 0.3, "total_iters": 10**8 + 1},
            {"initial_rate": 0.1, "factor": 0.3, "total_iters": 0},
        ],
        lambda total_iters, **others: [total_iters],
    ),
    "torch.linear_lr": Exact(
        linear_lr,
        [
            {"initial_rate": 0.1, "start_factor": 1e-8, "total_iters": 10**8},
            {"initial_rate": 0.1, "start_factor": 1.0, "end_factor": 0.0, "total_iters": LAST},
            {"initial_rate": 0.1, "total_iters": 0},
        ],
        lambda total_iters, **others: [total_iters],
    ),
    "torch.polynomial_lr": Exact(
        polynomial_lr,
        [
            {"initial_rate": 0.1, "total_iters": 10**8},
            {"initial_rate": 0.1, "total_iters": LAST, "power": 0.37},
            {"initial_rate": 0.1, "total_iters": 10**8, "power": 17.3},
            {"initial_rate": 0.1, "total_iters": 9, "power": 0.0},
            {"initial_rate": 0.1, "total_iters": 0, "power": 2.0},
        ],
        lambda total_iters, **others: [total_iters],
    ),
    "torch.lambda_lr": Exact(
        lambda t, initial_rate, lr_lambda: initial_rate / (1.0 + t),
        [{"initial_rate": 0.1, "lr_lambda": lambda epoch: 1 / (1 + jnp.float32(epoch))}],
    ),
    "torch.multiplicative_lr": Exact(
        lambda t, initial_rate, total_iters, **others: (
            initial_rate * (1 + np.minimum(t, total_iters)) ** -0.5
        ),
        [
            {"initial_rate": 0.1, "lr_lambda": shrink, "total_iters": 3000},
        ],
        lambda total_iters, **others: [total_iters],
    ),
    "torch.sequential_lr": Exact(
        lambda t, milestones, **others: np.select(
            [t < milestone for milestone in milestones],
            [
                linear_lr(t, 0.1, total_iters=10**7),
                polynomial_lr(t - milestones[0], 0.1, 10**8),
            ],
            cosine_annealing_lr(t - milestones[-1], 0.1, 10**8),
        ),
        [
            {"schedulers": FOLLOWING, "milestones": (10**7, 10**9)},
            {"schedulers": FOLLOWING, "milestones": (0, 10**9)},
        ],
        lambda milestones, **others: [*milestones, 10**9 + 10**8],
    ),
    "torch.chained_scheduler": Exact(
        lambda t, initial_rate, schedulers: (
            linear_lr(t, initial_rate, total_iters=10**7) * np.float64(1 - 3.3e-8) ** t
        ),
        [
            {
                "initial_rate": 0.1,
                "schedulers": (
                    presets.torch.linear_lr(1.0, total_iters=10**7),
                    presets.torch.exponential_lr(1.0, 1 - 3.3e-8),
                ),
            }
        ],
        lambda **others: [10**7],
    ),
    "torch.cyclic_lr": Exact(
        cyclic_lr,
        [
            {"base_lr": 1e-7, "max_lr": 1.0, "step_size_up": 10**8, "step_size_down": 3 * 10**8},
            {"base_lr": 0.0, "max_lr": 0.1, "mode": "triangular2"},
            {
                "base_lr": 1e-3,
                "max_lr": 0.1,
                "step_size_up": 7,
                "mode": "exp_range",
                "gamma": 1 - 3.3e-8,
            },
            {"base_lr": 1e-3, "max_lr": 0.1, "step_size_up": 7, "scale_fn": lambda x: 1 / x},
        ],
        lambda step_size_up=2000, step_size_down=None, **others: [
            step_size_up,
            step_size_up + (step_size_down or step_size_up),
        ],
    ),
    "torch.one_cycle_lr": Exact(
        one_cycle_lr,
        [
            {"max_lr": 0.1, "total_steps": 10**8 + 7},
            {"max_lr": 0.1, "total_steps": LAST, "pct_start": 0.45, "three_phase": True},
            {"max_lr": 0.1, "total_steps": 90_001, "anneal_strategy": "linear"},
            {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.0, "final_div_factor": 1e8},
            {"max_lr": 0.1, "total_steps": 10, "pct_start": 1.0},
            {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.8, "three_phase": True},
        ],
        lambda total_steps, pct_start=0.3, **others: [
            int(pct_start * total_steps),
            int(2 * pct_start * total_steps),
            total_steps - 1,
        ],
    ),
    "keras.exponential_decay": Exact(
        lambda t, initial_learning_rate, decay_steps, decay_rate, staircase=False: (
            initial_learning_rate
            * np.float64(decay_rate) ** (t // decay_steps if staircase else t / decay_steps)
        ),
        [
            {"initial_learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.9999},
            {"initial_learning_rate": 0.1, "decay_steps": 10**8 + 1, "decay_rate": 1e-9},
            {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.0},
            {
                "initial_learning_rate": 0.1,
                "decay_steps": 3,
                "decay_rate": 1 - 3.3e-8,
                "staircase": True,
            },
        ],
        lambda decay_steps, **others: [decay_steps, 2 * decay_steps],
    ),
    "keras.piecewise_constant_decay": Exact(
        lambda t, boundaries, values: np.array(values)[np.searchsorted(boundaries, t)],
        [{"boundaries": (0, 5, 10**8, LAST - 1), "values": (0.1, 0.2, 3e-9, 1.0, 0.0)}],
        lambda boundaries, **others: boundaries,
    ),
    "keras.polynomial_decay": Exact(
        keras_polynomial_decay,
        [
            {"initial_learning_rate": 0.1, "decay_steps": 10**8, "power": 0.9},
            {"initial_learning_rate": 0.1, "decay_steps": 7, "power": 0.0},
            {
                "initial_learning_rate": 0.1,
                "decay_steps": 3 * 10**8 + 1,
                "end_learning_rate": 0.0,
                "cycle": True,
            },
            {
                "initial_learning_rate": 1e-7,
                "decay_steps": LAST,
                "end_learning_rate": 0.3,
                "power": 2.3,
                "cycle": True,
            },
        ],
        lambda decay_steps, **others: [decay_steps, LAST // decay_steps * decay_steps],
    ),
    "keras.inverse_time_decay": Exact(
        lambda t, initial_learning_rate, decay_steps, decay_rate, staircase=False: (
            initial_learning_rate
            / (1 + decay_rate * (t // decay_steps if staircase else t / decay_steps))
        ),
        [
            {"initial_learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.37},
            {"initial_learning_rate": 0.1, "decay_steps": 10**8 + 1, "decay_rate": 1e9},
            {
                "initial_learning_rate": 0.1,
                "decay_steps": 7,
                "decay_rate": 0.3,
                "staircase": True,
            },
        ],
        lambda decay_steps, **others: [decay_steps, 2 * decay_steps],
    ),
    "keras.cosine_decay": Exact(
        keras_cosine_decay,
        [
            {"initial_learning_rate": 0.1, "decay_steps": 10**8},
            {"initial_learning_rate": 0.1, "decay_steps": LAST, "alpha": 1e-7},
            {
                "initial_learning_rate": 1e-8,
                "decay_steps": 10**8,
                "warmup_target": 0.3,
                "warmup_steps": 10**7,
            },
            {"initial_learning_rate": 1.0, "decay_steps": 9, "warmup_target": 0.3, "alpha": 0.2},
        ],
        lambda decay_steps, warmup_steps=0, **others: [warmup_steps, warmup_steps + decay_steps],
    ),
    "keras.cosine_decay_restarts": Exact(
        keras_restarts,
        [
            {"initial_learning_rate": 0.1, "first_decay_steps": 10**8, "alpha": 1e-6},
            {"initial_learning_rate": 0.1, "first_decay_steps": 2**30 + 1, "m_mul": 0.3},
            {"initial_learning_rate": 0.1, "first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.99999},
            {"initial_learning_rate": 0.1, "first_decay_steps": 1, "t_mul": 1.5, "m_mul": 1.1},
            {"initial_learning_rate": 0.1, "first_decay_steps": 12345, "t_mul": 1.001},
            {"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 1000.3},
        ],
        lambda first_decay_steps, t_mul=2.0, **others: [
            int(start) for start in keras_starts(first_decay_steps, t_mul)[1:30]
        ],
    ),
}
