"""The L2 penalty: a pull towards zero in proportion to the weight, as part of the gradient."""

import optax

from jaxtricks._checks import check_flag
from jaxtricks._prefix import Mask
from jaxtricks.optimizers._added_term import added_term
from jaxtricks.schedules import ScalarOrSchedule


def add_l2(
    strength: ScalarOrSchedule, *, half: bool = True, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Adds $\lambda w$, the gradient of the L2 penalty $\frac\lambda2 \sum w^2$, to the updates.

    This is *coupled* weight decay. Put it first in the chain: the update rule then sees the
    gradient of the penalised loss and treats the decay like any gradient. Under plain gradient
    descent it is the same as `add_decoupled_decay`, but momentum accumulates it in the velocity,
    and an adaptive rule divides it by the root of the second moment.
    `optax.chain(add_l2(weight_decay), momentum(...))` is `torch.optim.SGD`, which penalises all
    parameters. `update` needs the argument `params`.

    Args:
        strength: $\lambda \ge 0$, a number or a schedule.
        half: whether the penalty has the factor $\frac12$. If False, it is $\lambda \sum w^2$ with
            the gradient $2 \lambda w$: twice the decay at the same strength.
        mask: which parameters to penalise: a tree of bools (or a prefix of the parameters' tree),
            or a function of the parameters that returns one, such as `weights_only`. None means
            all.

    Raises:
        ValueError: `strength` is negative or not finite, or `update` gets no `params`.
        TypeError: `half` is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> params = jnp.array([2.0, -1.0])
        >>> for half in (True, False):
        ...     tx = add_l2(0.5, half=half)
        ...     updates, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        ...     print(updates)
        [ 1.  -0.5]
        [ 2. -1.]

    References:
        Krogh and Hertz, [A simple weight decay can improve generalization](
        https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html),
        1991.
        On the difference from decoupled decay: Loshchilov and Hutter, [Decoupled Weight Decay
        Regularization](https://arxiv.org/abs/1711.05101), 2019.
    """
    check_flag("half", half)
    return added_term(strength, lambda w: w if half else 2 * w, mask)
