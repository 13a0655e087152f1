"""AdamW: Adam with weight decay that does not pass through the moments."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._prefix import Mask
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_chain import wide_chain
from jaxtricks.optimizers._adam import scale_by_adam
from jaxtricks.optimizers._add_decoupled_decay import add_decoupled_decay
from jaxtricks.optimizers._gradient_descent import gradient_descent
from jaxtricks.schedules import ScalarOrSchedule


def adamw(
    learning_rate: ScalarOrSchedule,
    *,
    weight_decay: ScalarOrSchedule = 1e-2,
    mask: Mask = None,
    b1: ScalarOrSchedule = 0.9,
    b2: ScalarOrSchedule = 0.999,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
    eps_hat: bool = False,
    bias_correction: bool = True,
    amsgrad: bool = False,
    mu_dtype: DTypeLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""The AdamW optimizer: Adam with decoupled weight decay.

    The step is $x \leftarrow (1 - \alpha_t \lambda_t) x - \alpha_t u_t$ with $u$ from
    `scale_by_adam`. As in PyTorch, Keras and optax, the learning rate multiplies the decay too, so
    a schedule of the learning rate scales both. `update` needs the argument `params`.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule; 1e-3 is a common choice.
        weight_decay: $\lambda \ge 0$, a number or a schedule; 1e-2 in PyTorch, 1e-4 in optax and
            4e-3 in Keras.
        mask: which parameters decay: a tree of bools (or a prefix of the parameters' tree), or a
            function of the parameters that returns one, such as `weights_only`. None means all, as
            in PyTorch.
        b1: decay of the first moment; see `scale_by_adam` for this and the arguments below.
        b2: decay of the second moment.
        eps: $\varepsilon$, added to the root of the second moment.
        eps_inside: whether to add $\varepsilon$ under the root.
        eps_hat: whether to add $\varepsilon$ to the root of the uncorrected second moment.
        bias_correction: whether to correct the moments.
        amsgrad: whether to divide by the root of the largest second moment so far.
        mu_dtype: dtype in which the first moment is stored.

    Raises:
        ValueError: a hyper-parameter is out of range, or `update` gets no `params`.
        TypeError: a boolean argument is not a bool, or `mu_dtype` is not a floating dtype.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxtricks.optimizers import weights_only
        >>> tx = adamw(0.1, weight_decay=0.5, mask=weights_only)
        >>> params = {"kernel": jnp.array([2.0]), "bias": jnp.array([2.0])}
        >>> grads = {"kernel": jnp.zeros(1), "bias": jnp.zeros(1)}
        >>> updates, _ = tx.update(grads, tx.init(params), params)
        >>> round(float(updates["kernel"][0]), 3), abs(float(updates["bias"][0]))
        (-0.1, 0.0)

    References:
        Loshchilov and Hutter, [Decoupled Weight Decay
        Regularization](https://arxiv.org/abs/1711.05101), 2019.
    """
    rule = scale_by_adam(
        b1,
        b2=b2,
        eps=eps,
        eps_inside=eps_inside,
        eps_hat=eps_hat,
        bias_correction=bias_correction,
        amsgrad=amsgrad,
        mu_dtype=mu_dtype,
    )
    if not callable(weight_decay):
        check_range("weight_decay", weight_decay, low=0.0)
    decay = add_decoupled_decay(weight_decay, mask=mask)
    return wide_chain(rule, decay, gradient_descent(learning_rate))
