"""Gradient clipping as in the base class of Keras's optimizers."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import safe_divide, scalar, scalar_like
from jaxtricks._types import ScalarLike


def clip(
    clipnorm: ScalarLike | None, clipvalue: ScalarLike | None, global_clipnorm: ScalarLike | None
) -> tuple[optax.GradientTransformationExtraArgs, ...]:
    """Returns a transformation that clips, to put first; none if all bounds are None or 0.

    A bound of 0 does not clip. An array or traced value always gives a transformation.

    Raises:
        ValueError: a bound is negative, or more than one is given.

    Example:
        >>> (tx,) = clip(1.0, None, None)
        >>> grads = {"a": jnp.array([3.0, 4.0]), "b": jnp.array([0.5])}
        >>> clipped, _ = tx.update(grads, tx.init(grads))
        >>> [round(float(x), 2) for x in clipped["a"]], clipped["b"].tolist()
        ([0.6, 0.8], [0.5])
    """
    kinds = {
        "clipnorm": (clipnorm, _each_norm),
        "clipvalue": (clipvalue, _each_value),
        "global_clipnorm": (global_clipnorm, _norm_of_all),
    }
    given = {name: kind for name, kind in kinds.items() if kind[0] is not None}
    for name, (bound, _) in given.items():
        check_range(name, bound, low=0.0)
    if len(given) > 1:
        raise ValueError(f"at most one of {', '.join(kinds)} may be given, got {', '.join(given)}.")
    return tuple(
        optax.with_extra_args_support(optax.stateless(_bounded(cut, bound)))
        for bound, cut in given.values()
        if not (isinstance(bound, int | float) and bound == 0)
    )


def _bounded(
    cut: Callable[[PyTree, ScalarLike], PyTree], bound: ScalarLike
) -> Callable[[PyTree, PyTree | None], PyTree]:
    """Returns a function that clips gradients by `cut`; a bound of 0 leaves them unchanged."""

    def clipped(updates: PyTree, params: PyTree | None) -> PyTree:
        del params
        return jax.tree.map(
            lambda c, g: jnp.where(scalar(bound) > 0, c, g), cut(updates, bound), updates
        )

    return clipped


def _each_value(updates: PyTree, bound: ScalarLike) -> PyTree:
    return jax.tree.map(
        lambda g: jnp.clip(g, -scalar_like(bound, g), scalar_like(bound, g)), updates
    )


def _each_norm(updates: PyTree, bound: ScalarLike) -> PyTree:
    return jax.tree.map(lambda g: g * _share([g], bound), updates)


def _norm_of_all(updates: PyTree, bound: ScalarLike) -> PyTree:
    """Clips by the norm of all leaves; if it is not finite, all results are NaN, as in Keras."""
    leaves = jax.tree.leaves(updates)
    widest = max((leaf.dtype for leaf in leaves), key=lambda d: d.itemsize, default=jnp.float32)
    share = _share([jnp.asarray(leaf, widest) for leaf in leaves], bound) if leaves else 1.0
    return jax.tree.map(lambda g: g * scalar_like(share, g), updates)


def _share(leaves: list[Array], bound: ScalarLike) -> Float[Array, ""]:
    """Returns the factor that makes the norm at most `bound`, without overflow in the squares."""
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf), initial=0) for leaf in leaves]))
    unit = jnp.where(largest == 0, 1, largest)
    squares = jnp.stack([jnp.sum(jnp.square(leaf / unit)) for leaf in leaves])
    relative = jnp.sqrt(jnp.sum(squares))  # at least 1, or 0 if all are 0
    limit = scalar_like(bound, unit) / unit
    return safe_divide(limit, jnp.maximum(relative, limit))
