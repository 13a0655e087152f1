"""Which way to run an epoch is fast, by what was measured."""

from typing import Any, Literal

import jax


def choose_loop(program: Any) -> Literal["scan", "host"]:
    """Says whether an epoch should be one program or a compiled step called from Python.

    One scan is fastest, but for one case: on a CPU the gradient of a native convolution is many
    times slower inside a loop than outside (`paper_figs/performance.md` has the numbers; our
    `models.Conv` computes it another way there). The numbers are the same both ways.

    Args:
        program: the step as `jax.make_jaxpr(step)(state, batch, key)` traces it.

    Returns:
        "host" for a step with a native convolution on a CPU, else "scan".

    Example:
        >>> program = jax.make_jaxpr(lambda state, batch, key: (state + batch, {}))(1.0, 2.0, None)
        >>> choose_loop(program)
        'scan'

    References:
        [JAX issue 12868](https://github.com/jax-ml/jax/issues/12868).
    """
    native = jax.default_backend() == "cpu" and "conv_general_dilated" in str(program)
    return "host" if native else "scan"
