"""Random draws from a search space."""

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree, UInt32

from jaxtricks._checks import check_integer, check_key
from jaxtricks.tuning._space import filled, leaves, name_sum


def sample(key: Key[Array, ""], space: PyTree, trials: int) -> PyTree:
    """Draws independent random values of the hyper-parameters in a space.

    The value in trial `i` depends only on the key, on `i` and on the hyper-parameter's name and
    distribution. So the first values stay the same if `trials` is raised, and a further
    hyper-parameter in the space does not change the draws of the others.

    Args:
        key: random key of all draws.
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        trials: number of values of each hyper-parameter, at least 1.

    Returns:
        A tree like the space with NumPy arrays of `trials` values: float32 from `uniform` and
        `log_uniform`, int32 from `integers`, the dtype of the numbers of a traced `choice`, and
        objects from a static `choice`.

    Raises:
        ValueError: `trials` is under 1, or the space is empty.
        TypeError: a leaf of the space is not a distribution, `key` is not a typed key, or `trials`
            is not an integer.

    Example:
        >>> from jaxtricks.tuning import choice, log_uniform
        >>> space = {"rate": log_uniform(1e-5, 1e-1), "momentum": choice((0.5, 0.9))}
        >>> drawn = sample(jax.random.key(0), space, 1000)
        >>> [round(float(np.mean(drawn["rate"] < bound)), 1) for bound in (1e-4, 1e-3, 1e-2)]
        [0.3, 0.5, 0.7]
        >>> sorted(set(drawn["momentum"].tolist()))
        [0.5, 0.9]
    """
    check_key("key", key)
    check_integer("trials", trials, low=1)
    columns = {name: leaf.at(shares(key, name, trials)) for name, leaf in leaves(space).items()}
    return filled(space, columns)


def shares(key: Key[Array, ""], name: str, trials: int) -> np.ndarray:
    """Draws independent uniform numbers between 0 and 1, both excluded, with 32 random bits."""
    own = jax.random.fold_in(key, name_sum(name))
    bits = bits_of_trials(own, np.arange(trials, dtype=np.uint32))
    return (np.asarray(bits, float) + 0.5) / 2**32


@jax.jit
def bits_of_trials(key: Key[Array, ""], trials: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    """Draws 32 random bits for each trial; "rbg" keys under vmap would depend on their number."""
    return jax.lax.map(lambda i: jax.random.bits(jax.random.fold_in(key, i), (), np.uint32), trials)
