"""The optimizer `keras.optimizers.SGD`."""

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
    r"""Computes the updates of `keras.optimizers.SGD`, whose velocity includes the learning rate.

    $v \leftarrow \mu v - \alpha g$ and $x \leftarrow x + v$, or $x \leftarrow x + \mu v - \alpha g$
    with `nesterov`. When the learning rate changes, past gradients in $v$ keep the learning rate
    that they had, unlike in PyTorch.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        momentum: $\mu$, in `[0, 1]`; with 0, `nesterov` has no effect.
        nesterov: whether to use Nesterov's momentum.
        weight_decay: $\lambda \ge 0$, decoupled from the gradient; unless None, `update` needs
            `params`.
        clipnorm: largest norm of the gradient of each leaf, at least 0. At most one of `clipnorm`,
            `clipvalue` and `global_clipnorm` may be given; None and 0 do not clip.
        clipvalue: largest absolute value of each coordinate of the gradient, at least 0.
        global_clipnorm: largest norm of the gradients of all leaves together, at least 0.
        use_ema: whether to keep an exponential moving average of the parameters in the state, see
            `presets.keras`; `update` then needs `params`.
        ema_momentum: decay of that average, in `[0, 1]`.
        ema_overwrite_frequency: number of updates, at least 1, from one replacement of the
            parameters by the average to the next; None for no replacement.

    Raises:
        ValueError: an argument is out of range, or two kinds of clipping are given.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = sgd(lambda count: jnp.where(count < 2, 0.1, 0.0), momentum=0.5)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(3):
        ...     step, state = tx.update(jnp.ones(()), state)
        ...     print(round(float(step), 4))  # still moves at learning rate 0
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
