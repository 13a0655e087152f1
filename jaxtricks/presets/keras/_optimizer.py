"""The parts of `keras.optimizers.Optimizer` that come before and after each update rule."""

import optax

from jaxtricks._types import ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.presets.keras._average import average
from jaxtricks.presets.keras._clip import clip
from jaxtricks.presets.keras._shrink import shrink
from jaxtricks.schedules import ScalarOrSchedule


def optimizer(
    rule: tuple[optax.GradientTransformationExtraArgs, ...],
    learning_rate: ScalarOrSchedule,
    weight_decay: ScalarLike | None,
    *,
    clipnorm: ScalarLike | None,
    clipvalue: ScalarLike | None,
    global_clipnorm: ScalarLike | None,
    use_ema: bool,
    ema_momentum: ScalarLike,
    ema_overwrite_frequency: int | None,
) -> optax.GradientTransformationExtraArgs:
    """Chains clipping, the update rule with its learning rate, weight decay and averaging.

    Raises:
        ValueError: an argument is out of range, or two kinds of clipping are given.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.
    """
    return wide_chain(
        *clip(clipnorm, clipvalue, global_clipnorm),
        *rule,
        *shrink(learning_rate, weight_decay),
        *average(use_ema, ema_momentum, ema_overwrite_frequency),
    )
