"""Random draws from a search space."""

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree, UInt32

from jaxtricks._checks import check_integer, check_key
from jaxtricks.tuning._space import filled, leaves, name_sum


def sample(key: Key[Array, ""], space: PyTree, trials: int) -> PyTree:
    """Draws hyper-parameters, independently of each other.

    Trial i depends on the key, i and the hyper-parameter's name alone: more trials begin with those
    of fewer, and a further hyper-parameter leaves the draws of the others as they are.

    Args:
        key: of all draws.
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        trials: how many, at least 1.

    Returns:
        The tree of the space with NumPy arrays of `trials` values, of float32, int32, what the
        numbers of a `choice` make, or objects.

    Raises:
        ValueError: `trials` is under 1, or the space is empty.
        TypeError: a leaf of the space is no distribution, or `key` no typed key.

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
    """Independent uniform numbers from 0 to 1, both excluded, of 32 bits."""
    own = jax.random.fold_in(key, name_sum(name))
    bits = bits_of_trials(own, np.arange(trials, dtype=np.uint32))
    return (np.asarray(bits, float) + 0.5) / 2**32


@jax.jit
def bits_of_trials(key: Key[Array, ""], trials: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    """32 random bits for each; not by vmap, under which "rbg" draws by how many there are."""
    return jax.lax.map(lambda i: jax.random.bits(jax.random.fold_in(key, i), (), np.uint32), trials)
