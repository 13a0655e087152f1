"""`keras.optimizers.SGD`."""

import optax

from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent
from jaxtricks.presets.keras._optimizer import optimizer
from jaxtricks.presets.keras._velocity import velocity
from jaxtricks.schedules import ScalarOrSchedule


def sgd(
    learning_rate: ScalarOrSchedule = 0.01,
    momentum: ScalarLike = 0.0,
    nesterov: bool = False,
    weight_decay: ScalarLike | None = None,
    clipnorm: ScalarLike | None = None,
    clipvalue: ScalarLike | None = None,
    global_clipnorm: ScalarLike | None = None,
    use_ema: bool = False,
    ema_momentum: ScalarLike = 0.99,
    ema_overwrite_frequency: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""`keras.optimizers.SGD`: the rate is inside the velocity.

    $v \leftarrow \mu v - \alpha g$, $x \leftarrow x + v$, or $x \leftarrow x + \mu v - \alpha g$
    with `nesterov`. After a cut of the rate old gradients keep their old rate, unlike in PyTorch.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        momentum: $\mu$, in `[0, 1]`; with 0, `nesterov` changes nothing.
        nesterov: whether to look ahead.
        weight_decay: $\lambda \ge 0$, decoupled; unless None, `update` needs `params`.
        clipnorm: largest norm of each leaf's gradient; at most one of the three is not None.
        clipvalue: largest absolute value of each coordinate of the gradient.
        global_clipnorm: largest norm of the gradients of all leaves together.
        use_ema: whether to average the parameters as `presets.keras` says; `update` then needs
            `params`.
        ema_momentum: the average's decay, in `[0, 1]`.
        ema_overwrite_frequency: every how many updates the average replaces the parameters.

    Raises:
        ValueError: an argument is out of range, or two kinds of clipping are asked for.
        TypeError: a flag is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = sgd(lambda count: jnp.where(count < 2, 0.1, 0.0), momentum=0.5)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(3):
        ...     step, state = tx.update(jnp.ones(()), state)
        ...     print(round(float(step), 4))  # moves on at rate 0
        -0.1
        -0.15
        -0.075

    References:
        [Keras's `SGD`](https://keras.io/api/optimizers/sgd/); Sutskever et al., [On the importance
        of initialization and momentum in deep
        learning](https://proceedings.mlr.press/v28/sutskever13.html), 2013.
    """
    rule = (gradient_descent(learning_rate), *velocity(momentum, nesterov=nesterov))
    return optimizer(
        rule,
        learning_rate,
        weight_decay,
        clipnorm=clipnorm,
        clipvalue=clipvalue,
        global_clipnorm=global_clipnorm,
        use_ema=use_ema,
        ema_momentum=ema_momentum,
        ema_overwrite_frequency=ema_overwrite_frequency,
    )
