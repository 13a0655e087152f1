"""Choosing the faster way to run an epoch, by what was measured."""

from typing import Any, Literal

import jax


def choose_loop(program: Any) -> Literal["scan", "host"]:
    """Chooses between one program per epoch and a compiled step that is called from Python.

    One `jax.lax.scan` per epoch is faster, with one exception: on a CPU the gradient of XLA's own
    convolution (`jax.lax.conv_general_dilated`, which `flax.linen.Conv` uses) is many times slower
    inside a loop than outside. The numbers are in `paper_figs/performance.md`. The exception does
    not concern `models.Conv`, which by default avoids that operation on a CPU. Both ways give the
    same results.

    Args:
        program: the traced step, from `jax.make_jaxpr(step)(state, batch, key)`.

    Returns:
        `"host"` for a step with XLA's own convolution on a CPU, else `"scan"`.

    Example:
        >>> program = jax.make_jaxpr(lambda state, batch, key: (state + batch, {}))(1.0, 2.0, None)
        >>> choose_loop(program)
        'scan'

    References:
        [JAX issue 12868](https://github.com/jax-ml/jax/issues/12868).
    """
    native = jax.default_backend() == "cpu" and "conv_general_dilated" in str(program)
    return "host" if native else "scan"
