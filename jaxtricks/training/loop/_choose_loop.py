"""Choosing the faster way to run an epoch, by what was measured."""

from typing import Any, Literal

import jax


def choose_loop(program: Any) -> Literal["scan", "host"]:
    """Chooses between one program per epoch and a compiled step that is called from Python.

    One scan per epoch is faster, with one exception: on a CPU the gradient of a native convolution
    is many times slower inside a loop than outside (`paper_figs/performance.md` has the numbers;
    this library's `models.Conv` computes it in another way there). The results are the same in both
    ways.

    Args:
        program: the traced step, from `jax.make_jaxpr(step)(state, batch, key)`.

    Returns:
        `"host"` for a step with a native convolution on a CPU, else `"scan"`.

    Example:
        >>> program = jax.make_jaxpr(lambda state, batch, key: (state + batch, {}))(1.0, 2.0, None)
        >>> choose_loop(program)
        'scan'

    References:
        [JAX issue 12868](https://github.com/jax-ml/jax/issues/12868).
    """
    native = jax.default_backend() == "cpu" and "conv_general_dilated" in str(program)
    return "host" if native else "scan"
