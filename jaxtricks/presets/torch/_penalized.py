"""The gradient as PyTorch's rules see it, and the rate at the end."""

import optax

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers import add_l2, gradient_descent
from jaxtricks.schedules import ScalarOrSchedule


def left_out(value: ScalarLike) -> bool:
    """Whether a part is switched off by a Python 0; an array may become another value later.

    Example:
        >>> import jax.numpy as jnp
        >>> left_out(0), left_out(0.1), left_out(jnp.zeros(()))
        (True, False, False)
    """
    return isinstance(value, int | float) and value == 0


def penalized(
    rule: tuple[optax.GradientTransformationExtraArgs, ...],
    lr: ScalarOrSchedule,
    *,
    weight_decay: ScalarLike,
    maximize: bool,
) -> optax.GradientTransformationExtraArgs:
    r"""Returns $x \leftarrow x - \alpha\, \mathrm{rule}(\pm g + \lambda x)$.

    The sign of the gradient is turned before the decay is added, so `maximize` still decays.

    Raises:
        ValueError: `lr` or `weight_decay` is negative or not finite.
    """
    if not callable(lr):
        check_range("lr", lr, low=0.0)
    check_range("weight_decay", weight_decay, low=0.0)
    check_flag("maximize", maximize)
    sign = (optax.with_extra_args_support(optax.scale(-1.0)),) if maximize else ()
    decay = () if left_out(weight_decay) else (add_l2(weight_decay),)
    return wide_chain(*sign, *decay, *rule, gradient_descent(lr))
