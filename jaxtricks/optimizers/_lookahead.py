"""The two points of Nesterov's momentum: the base point and the look-ahead point."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import cast_like, scalar_like, to_float32
from jaxtricks._tree_checks import check_real_tree, check_same_tree
from jaxtricks._types import ScalarLike


def lookahead_point(params: PyTree, velocity: PyTree, decay: ScalarLike) -> PyTree:
    r"""Computes the look-ahead point $\tilde x = x + \rho v$, to which the velocity alone leads.

    Nesterov's momentum in its usual form takes the gradient at this look-ahead point and is
    ordinary momentum otherwise:

        velocity = optax.tree.get(state, "velocity")  # momentum(rate, decay=decay, lr_inside=True)
        grads = jax.grad(loss)(lookahead_point(params, velocity, decay))
        updates, state = tx.update(grads, state)
        params = optax.apply_updates(params, updates)

    `nesterov` needs no second point, because its parameters are the look-ahead point itself.

    Args:
        params: $x$.
        velocity: $v$, a displacement: it contains the learning rate and the minus sign of a step.
            Multiply the velocity of `momentum` with `lr_inside=False` by $-\alpha$ first.
        decay: $\rho$, in `[0, 1]`.

    Raises:
        ValueError: `decay` is out of range, or `velocity` does not match `params`.
        TypeError: a leaf is complex or holds no numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> lookahead_point({"w": jnp.array([1.0])}, {"w": jnp.array([-0.5])}, 0.5)["w"].tolist()
        [0.75]

    References:
        Sutskever et al., [On the importance of initialization and momentum in deep
        learning](https://proceedings.mlr.press/v28/sutskever13.html), 2013, section 2.
    """
    return _displaced(params, velocity, decay, 1)


def base_point(params: PyTree, velocity: PyTree, decay: ScalarLike) -> PyTree:
    r"""Computes the base point $x = \tilde x - \rho v$, the inverse of `lookahead_point`.

    The parameters that `nesterov` trains are look-ahead points. Evaluate and save the base point.

    Args:
        params: $\tilde x$.
        velocity: $v$, a displacement, as in the state of `nesterov(rate, decay=decay)`. With
            `lr_inside=False` multiply it by $-\alpha$ first.
        decay: $\rho$, in `[0, 1]`.

    Raises:
        ValueError: `decay` is out of range, or `velocity` does not match `params`.
        TypeError: a leaf is complex or holds no numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> base_point({"w": jnp.array([0.75])}, {"w": jnp.array([-0.5])}, 0.5)["w"].tolist()
        [1.0]

    References:
        Bengio et al., [Advances in optimizing recurrent networks](https://arxiv.org/abs/1212.0901),
        2012, section 3.5.
    """
    return _displaced(params, velocity, decay, -1)


def _displaced(params: PyTree, velocity: PyTree, decay: ScalarLike, sign: int) -> PyTree:
    check_range("decay", decay, low=0.0, high=1.0)
    check_same_tree("velocity", velocity, "params", params)
    check_real_tree("params", params)
    check_real_tree("velocity", velocity)

    def move(x: Array, v: Array) -> Array:
        return x + scalar_like(decay, x) * sign * jnp.asarray(v, x.dtype)

    return cast_like(jax.tree.map(move, to_float32(params), to_float32(velocity)), params)
