"""What PyTorch's optimizers do before and after each update rule."""

import optax

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers import add_l2, gradient_descent
from jaxtricks.schedules import ScalarOrSchedule


def left_out(value: ScalarLike) -> bool:
    """Whether `value` is a Python 0, which leaves a part out; an array or traced value keeps it.

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
    r"""Chains weight decay, the update rule and the learning rate.

    $x \leftarrow x - \alpha\, \mathrm{rule}(\pm g + \lambda x)$. `maximize` changes the sign of
    the gradient before the decay is added, so that the weights still decay.

    Raises:
        ValueError: `lr` or `weight_decay` is negative or not finite.
        TypeError: `maximize` is not a bool.
    """
    if not callable(lr):
        check_range("lr", lr, low=0.0)
    check_range("weight_decay", weight_decay, low=0.0)
    check_flag("maximize", maximize)
    sign = (optax.with_extra_args_support(optax.scale(-1.0)),) if maximize else ()
    decay = () if left_out(weight_decay) else (add_l2(weight_decay),)
    return wide_chain(*sign, *decay, *rule, gradient_descent(lr))
