"""The usual mask of a penalty, which leaves out biases and normalisation parameters."""

import re
from collections.abc import Collection

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxtricks._checks import shown

NOT_WEIGHTS = re.compile(r"(.*_)?bias(es)?(_.*)?|b_?\d*|beta|gamma|offset|scale|weight_g|original0")
WEIGHTS = re.compile(r"kernel|w_?\d*|weights|embedding|embeddings")
NORMS = re.compile(r".*norm.*|bn_?\d*|ln_?\d*", re.IGNORECASE)


def weights_only(params: PyTree, *, exclude: Collection[str] = ()) -> PyTree:
    """Marks weights with True, and biases and normalisation parameters with False, for a penalty.

    A parameter is judged by its own name, by the names of its modules, and by its number of axes:

    - `bias`, `biases`, `b`, `beta`, `gamma`, `offset` and `scale` are not weights. Neither are
      names such as `in_proj_bias` or `b1`, or the lengths that PyTorch's weight normalisation
      stores (`weight_g`, `original0`).
    - `kernel`, `w`, `weights` and `embedding` are weights, unless they are scalars.
    - `weight` is not a weight in a module whose name says that it normalises (`layer_norm`, `bn1`).
    - Any other parameter, `weight` included, is a weight if it has at least two axes. The scales in
      the normalisation layers of PyTorch, equinox and T5 and in `flax.linen.WeightNorm` have one.

    The mask therefore fits the trees of Flax (linen and nnx), Haiku, equinox and T5X, the state
    dicts of PyTorch, and plain dicts. `mask_by_path(weights_only, params)` shows what it decides.
    The optimizers of PyTorch and Keras decay every parameter, as those of this library do without a
    mask.

    Args:
        params: the parameters. The name `value`, which the boxes of Flax's partitioning and nnx add
            to the path of a parameter, does not count as its name, and neither do numbers.
        exclude: further names to mark with False, of parameters or of whole modules. Pass the mask
            as `functools.partial(weights_only, exclude=("embedding",))`.

    Raises:
        TypeError: `exclude` is a single string, or holds anything else than strings.
        ValueError: `params` is a single array, which has no name. `optax.inject_hyperparams` takes
            a mask function for a schedule and calls it with a single array; prevent this by
            listing `mask` in its argument `static_args`.

    Example:
        >>> weights_only({"Dense_0": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}})
        {'Dense_0': {'bias': False, 'kernel': True}}
        >>> weights_only({"head": {"weight": jnp.ones((2, 2))}}, exclude=("head",))
        {'head': {'weight': False}}

    References:
        He et al., [Bag of tricks for image classification](https://arxiv.org/abs/1812.01187), 2019,
        section 3.1.
    """
    names = isinstance(exclude, Collection) and not isinstance(exclude, str | jax.Array)
    if not names or not all(isinstance(name, str) for name in exclude):
        raise TypeError(f"exclude must be a collection of names, got {shown(exclude)}.")

    def is_weight(path: tuple, leaf: PyTree) -> bool:
        if not path:
            raise ValueError(
                "params must have named leaves, got a single leaf without a name; with "
                "optax.inject_hyperparams, list mask in static_args."
            )
        names = _names(path)
        last = names[-1] if names else ""
        if NOT_WEIGHTS.fullmatch(last) or not set(exclude).isdisjoint(names):
            return False
        if WEIGHTS.fullmatch(last):
            return jnp.ndim(leaf) >= 1
        normalises = last == "weight" and any(map(NORMS.fullmatch, names[:-1]))
        return jnp.ndim(leaf) >= 2 and not normalises

    return jax.tree_util.tree_map_with_path(is_weight, params)


def _names(path: tuple) -> list[str]:
    """Splits a path into names, also inside keys such as `layers.0.weight` and `mlp/linear`."""
    keys = [jax.tree_util.keystr((key,), simple=True) for key in path]
    if len(keys) > 1 and keys[-1] == "value":  # the name of a box
        keys.pop()
    return [
        name for key in keys for name in re.split(r"[./~]+", key) if name and not name.isdigit()
    ]
