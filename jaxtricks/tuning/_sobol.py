"""Quasi-random draws, which fill a search space more evenly than random ones."""

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_integer, check_key
from jaxtricks.tuning._space import filled, leaves


def sobol(key: Key[Array, ""], space: PyTree, trials: int) -> PyTree:
    """Draws hyper-parameters as the first points of a scrambled Sobol sequence.

    The points leave no large gaps and form no clusters in the space of all hyper-parameters. They
    are spread most evenly if their number is a power of 2. The first points stay the same if
    `trials` is raised. Unlike with `sample`, a further hyper-parameter in the space changes the
    draws of the others.

    Args:
        key: random key of the scrambling (a linear matrix scramble and a digital shift), which
            makes each point uniformly distributed.
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        trials: number of points, from 1 to `2**24`.

    Returns:
        A tree like the space with NumPy arrays of `trials` values, with the same dtypes as from
        `sample`.

    Raises:
        ValueError: `trials` is out of range, or the space is empty.
        TypeError: a leaf of the space is not a distribution, `key` is not a typed key, or `trials`
            is not an integer.

    Example:
        >>> from jaxtricks.tuning import uniform
        >>> drawn = sobol(jax.random.key(0), {"x": uniform(0, 1), "y": uniform(0, 1)}, 4)
        >>> np.sort(drawn["x"] * 4 // 1).tolist()  # one in each quarter
        [0.0, 1.0, 2.0, 3.0]

    References:
        Sobol, On the distribution of points in a cube and the approximate evaluation of
        integrals, 1967; Matoušek, [On the L2-discrepancy for anchored boxes](
        https://doi.org/10.1006/jcom.1998.0489), 1998.
    """
    from scipy.stats import qmc

    check_key("key", key)
    check_integer("trials", trials, low=1, high=2**24)
    named = leaves(space)
    seed = np.asarray(jax.random.bits(key, (2,), np.uint32))
    engine = qmc.Sobol(len(named), rng=np.random.default_rng(seed))
    points = engine.random_base2((int(trials) - 1).bit_length())[:trials]
    columns = {name: leaf.at(points[:, i]) for i, (name, leaf) in enumerate(named.items())}
    return filled(space, columns)
