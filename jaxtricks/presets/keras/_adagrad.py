"""The optimizer `keras.optimizers.Adagrad`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent, scale_by_adagrad
from jaxtricks.presets.keras._optimizer import optimizer
from jaxtricks.schedules import ScalarOrSchedule


def adagrad(
    learning_rate: ScalarOrSchedule = 0.001,
    initial_accumulator_value: ScalarLike = 0.1,
    epsilon: ScalarLike = 1e-7,
    weight_decay: ScalarLike | None = None,
    clipnorm: ScalarLike | None = None,
    clipvalue: ScalarLike | None = None,
    global_clipnorm: ScalarLike | None = None,
    use_ema: bool = False,
    ema_momentum: ScalarLike = 0.99,
    ema_overwrite_frequency: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `keras.optimizers.Adagrad`, whose sum of squares starts at 0.1.

    $r_t = r_{t-1} + g_t^2$ and $x \leftarrow x - \alpha g_t / \sqrt{r_t + \varepsilon}$, with
    $\varepsilon$ inside the square root.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        initial_accumulator_value: $r_0 \ge 0$, the initial sum of squares.
        epsilon: $\varepsilon \ge 0$, inside the root; acts like $\sqrt\varepsilon$ outside of it.
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
        >>> tx = adagrad(1.0)
        >>> step, _ = tx.update(jnp.array([1.0, 1e-3]), tx.init(jnp.zeros(2)))
        >>> [round(float(x), 3) for x in step]  # [-1.0, -1.0] if the sum started at 0
        [-0.953, -0.003]

    References:
        [Keras's `Adagrad`](https://keras.io/api/optimizers/adagrad/); Duchi et al., [Adaptive
        subgradient methods](https://jmlr.org/papers/v12/duchi11a.html), 2011.
    """
    check_range("initial_accumulator_value", initial_accumulator_value, low=0.0)
    check_range("epsilon", epsilon, low=0.0)
    rule = scale_by_adagrad(
        eps=epsilon, eps_inside=True, initial_accumulator=initial_accumulator_value
    )
    return optimizer(
        (rule, gradient_descent(learning_rate)),
        learning_rate,
        weight_decay,
        clipnorm=clipnorm,
        clipvalue=clipvalue,
        global_clipnorm=global_clipnorm,
        use_ema=use_ema,
        ema_momentum=ema_momentum,
        ema_overwrite_frequency=ema_overwrite_frequency,
    )
