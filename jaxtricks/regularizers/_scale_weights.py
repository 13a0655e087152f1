"""Scaling weights once, so that a network trained with standard dropout needs no dropout layer."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import PyTree

from jaxtricks._array_checks import check_floating
from jaxtricks._check_variables import check_variables
from jaxtricks._checks import check_instance, check_range, shown
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._bernoulli_mask import keep_probability


def scale_weights(variables: Mapping[str, PyTree], rates: Mapping[str, Any]) -> dict[str, PyTree]:
    r"""Multiplies the kernels after standard dropout by the probability of keeping a unit.

    Training drops a unit with probability $p$ and evaluation never does, so the weights that
    multiply the unit are scaled by $1 - p$. The network without dropout layers then computes what
    the network with `Dropout(p, inverted=False)` computes in evaluation. In `models.Sequential` the
    layers are named by their positions, so removing a dropout layer would rename those after it.
    Set its rate to 0 there instead; with the old rate it would scale a second time. Biases are not
    scaled, because they have no input to drop. A network with inverted dropout needs no scaling.

    Args:
        variables: Flax's variables, with the collection `"params"`.
        rates: the dropout rate, in `[0, 1]`, of each layer whose input is dropped, under the name
            of that layer in `"params"`. A layer inside another layer needs a mapping in a mapping.

    Returns:
        The variables with scaled kernels; the dtypes do not change.

    Raises:
        ValueError: a rate is out of range, a name is not that of a layer with a `"kernel"`, or
            `variables` has no `"params"`.
        TypeError: `variables` or `rates` is not a mapping, or a kernel is not a floating array.

    Example:
        >>> import jax.numpy as jnp
        >>> layers = {name: {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)} for name in "ab"}
        >>> scaled = scale_weights({"params": layers}, {"b": 0.5})["params"]
        >>> [float(scaled[name][leaf][0].squeeze()) for name in "ab" for leaf in ("kernel", "bias")]
        [1.0, 1.0, 0.5, 1.0]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 1.
    """
    check_variables(variables)
    check_instance("rates", rates, Mapping)
    check_instance("variables['params']", variables["params"], Mapping)
    return {**variables, "params": _scaled(variables["params"], rates, "rates")}


def _scaled(params: Any, rates: Mapping[str, Any], path: str) -> dict[str, Any]:
    out = dict(params)
    for name, rate in rates.items():
        here = f"{path}[{name!r}]"
        layer = params.get(name)
        if not isinstance(layer, Mapping):
            raise ValueError(f"{here} must name one of the layers {sorted(params)}, got {name!r}.")
        if isinstance(rate, Mapping):
            out[name] = _scaled(layer, rate, here)
            continue
        check_range(here, rate, low=0.0, high=1.0)
        if "kernel" not in layer:
            raise ValueError(f"{here} must name a layer with a kernel, got {shown(sorted(layer))}.")
        check_floating(f"the kernel of {here}", layer["kernel"])
        out[name] = {**layer, "kernel": _times(layer["kernel"], rate)}
    return out


def _times(kernel: Any, rate: ScalarLike) -> Any:
    wide = kernel.astype(wide_dtype(kernel.dtype))
    return (wide * keep_probability(rate).astype(wide.dtype)).astype(kernel.dtype)
