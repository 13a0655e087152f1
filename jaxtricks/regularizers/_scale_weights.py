"""Weights for evaluation without dropout: each scaled by the probability that its input stayed."""

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
    r"""Folds the probabilities of staying into the weights behind standard dropout.

    A unit that training drops with probability $p$ is there in evaluation always, so the weights
    that leave it are multiplied by $1 - p$. The network then needs no dropout layers, and computes
    what it does with `Dropout(p, inverted=False)` in evaluation. Give these the rate 0 rather than
    leave them out, where Flax numbers the layers, as in `models.Sequential`; at their old rate they
    would scale once more. Only kernels are scaled, since a bias has no input that could be dropped.
    Inverted dropout needs none of this.

    Args:
        variables: Flax's variables, with the collection `"params"`.
        rates: for each layer whose *input* is dropped its rate, in `[0, 1]`, under the layer's name
            in `"params"`; mappings inside of mappings for layers inside of layers.

    Returns:
        The variables with scaled kernels, of the same dtypes.

    Raises:
        ValueError: a rate is out of range, a name is not that of a layer with a `"kernel"`, or
            there are no `"params"`.
        TypeError: `variables` or `rates` is no mapping, or a kernel no floating array.

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
            raise ValueError(f"{here} must name a layer among {sorted(params)}.")
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
