"""The optimizer `torch.optim.Adagrad`."""

import jax.numpy as jnp
import optax

from jaxtricks._checks import check_range
from jaxtricks._moments import scalar_like
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import scale_by_adagrad
from jaxtricks.presets.torch._penalized import penalized
from jaxtricks.schedules import ScalarOrSchedule, value_at


def adagrad(
    lr: ScalarOrSchedule = 1e-2,
    lr_decay: ScalarLike = 0,
    weight_decay: ScalarLike = 0,
    initial_accumulator_value: ScalarLike = 0,
    eps: ScalarLike = 1e-10,
    *,
    maximize: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `torch.optim.Adagrad`, whose learning rate can fall like $1/t$.

    $g \leftarrow g + \lambda x$, $r_t = r_{t-1} + g_t^2$ and
    $x \leftarrow x - \frac{\alpha}{1 + (t - 1) \eta} g_t / (\sqrt{r_t} + \varepsilon)$, where $t$
    counts from 1. $\varepsilon$ is outside the square root.

    Args:
        lr: learning rate $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        lr_decay: $\eta \ge 0$; with 0 the learning rate is $\alpha$.
        weight_decay: $\lambda \ge 0$; unless it is a Python 0, `update` needs `params`.
        initial_accumulator_value: $r_0 \ge 0$, the initial sum of squares.
        eps: $\varepsilon \ge 0$, outside the square root.
        maximize: whether to maximize the objective.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = adagrad(0.1, lr_decay=1.0)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(2):
        ...     step, state = tx.update(jnp.array(20.0), state)
        ...     print(round(float(step), 4))  # 1 / sqrt(2) times half the learning rate
        -0.1
        -0.0354

    References:
        PyTorch's
        [`Adagrad`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html); Duchi
        et al., [Adaptive subgradient methods](https://jmlr.org/papers/v12/duchi11a.html), 2011.
    """
    check_range("lr_decay", lr_decay, low=0.0)
    check_range("initial_accumulator_value", initial_accumulator_value, low=0.0)
    check_range("eps", eps, low=0.0)
    if not callable(lr):
        check_range("lr", lr, low=0.0)

    def rate(count: ScalarLike) -> ScalarLike:
        steps = jnp.asarray(count, float)
        return scalar_like(value_at(lr, count), steps) / (1 + steps * scalar_like(lr_decay, steps))

    rule = scale_by_adagrad(eps=eps, initial_accumulator=initial_accumulator_value)
    return penalized((rule,), rate, weight_decay=weight_decay, maximize=maximize)
