"""Copying arrays that share memory, so that a state can be donated."""

import jax
import jax.numpy as jnp
from jaxtyping import PyTree


def distinct(state: PyTree, *others: PyTree) -> PyTree:
    """Copies arrays that occur twice in `state`, such as tied weights, or also in `others`.

    JAX writes into the memory of a donated array, and two donated arrays must not share memory: JAX
    raises an error on one device, and ends the process on several. Two arrays may share memory on
    only some of their devices. NumPy arrays and other leaves are not copied here, because JAX
    copies them itself.

    Example:
        >>> zeros = jnp.zeros(3)
        >>> a, b = distinct((zeros, zeros))
        >>> a is zeros, b is zeros
        (True, False)
    """
    taken: set[int] = set().union(*(_places(leaf) for leaf in jax.tree.leaves(others)))

    def once(leaf: PyTree) -> PyTree:
        places = _places(leaf)
        shared = bool(taken & places)
        taken.update(places)
        return jnp.copy(leaf) if shared else leaf

    return jax.tree.map(once, state)


def _places(leaf: object) -> set[int]:
    """Returns the memory addresses of a JAX array on the devices of this process."""
    if not isinstance(leaf, jax.Array) or isinstance(leaf, jax.core.Tracer):
        return set()
    array = leaf
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    parts = range(len(array.sharding.addressable_devices))
    return {array.addressable_data(part).unsafe_buffer_pointer() for part in parts}
