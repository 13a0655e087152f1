"""Which way to run an epoch is fast, by what was measured."""

from typing import Any, Literal

import jax

from jaxtricks.training._step import TrainStep


def loop_form(step: TrainStep, *arguments: Any) -> Literal["scan", "host"]:
    """Says whether an epoch should be one program or a compiled step called from Python.

    One scan is fastest, but for one case: on a CPU the gradient of a native convolution is many
    times slower inside a loop than outside (`paper_figs/performance.md` has the numbers; our
    `models.Conv` takes another form there). The numbers are the same both ways.

    Args:
        step: from `make_train_step`.
        *arguments: what it is called with, `state, batch, key`; only shapes and dtypes matter.

    Returns:
        "host" for a step with a native convolution on a CPU, else "scan".

    Example:
        >>> import jax.numpy as jnp
        >>> loop_form(lambda state, batch, key: (state + batch, {}), jnp.ones(2), 1.0, None)
        'scan'

    References:
        [JAX issue 12868](https://github.com/jax-ml/jax/issues/12868).
    """
    if jax.default_backend() != "cpu":
        return "scan"
    traced = str(jax.make_jaxpr(step)(*arguments))
    return "host" if "conv_general_dilated" in traced else "scan"
