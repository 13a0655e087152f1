"""Penalties leave biases and normalisation parameters alone."""

import re
from collections.abc import Collection

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxtricks._checks import shown

OTHERS = re.compile(r"(.*_)?bias(es)?(_.*)?|b_?\d*|beta|gamma|offset|scale|weight_g|original0")
WEIGHTS = re.compile(r"kernel|w_?\d*|weights|embedding|embeddings")
NORMS = re.compile(r".*norm.*|bn_?\d*|ln_?\d*", re.IGNORECASE)


def weights_only(params: PyTree, *, exclude: Collection[str] = ()) -> PyTree:
    """The usual mask of a penalty: True for weights, False for biases and normalisation parameters.

    A leaf is judged by its last name, by the name of its module, and by its rank:

    - `bias`, `biases`, `b`, `beta`, `gamma`, `offset` and `scale` are no weights, nor are names
      such as `in_proj_bias` or `b1`, or the lengths that PyTorch's weight normalisation keeps;
    - `kernel`, `w`, `weights` and `embedding` are weights, unless they are scalars;
    - `weight` is none in a module whose name says that it normalises (`layer_norm`, `bn1`);
    - any other leaf, `weight` included, is a weight if it has at least two axes. The scales of
      PyTorch's, equinox's and T5's normalisation layers and of `flax.linen.WeightNorm` have one.

    So the mask fits the trees of Flax (linen and nnx), Haiku, equinox, T5X, PyTorch's state dicts
    and plain dicts. `mask_by_path(weights_only, params)` shows what it decides. PyTorch's and
    Keras's optimizers decay every parameter, as the rules here do without a mask.

    Args:
        params: the parameters. The box that Flax's partitioning and nnx put around a leaf does not
            count as a name, and neither do numbers.
        exclude: more names to leave out, of leaves or of whole modules, with
            `functools.partial(weights_only, exclude=("embedding",))`.

    Raises:
        TypeError: `exclude` is one string, or holds something else than strings.
        ValueError: `params` is one array, without a name. `optax.inject_hyperparams` brings that
            about unless `static_args` lists `mask`: it takes any function for a schedule.

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
            raise ValueError("params must have named leaves to go by, got one without a name.")
        names = _names(path)
        last = names[-1] if names else ""
        if OTHERS.fullmatch(last) or not set(exclude).isdisjoint(names):
            return False
        if WEIGHTS.fullmatch(last):
            return jnp.ndim(leaf) >= 1
        normalises = last == "weight" and any(map(NORMS.fullmatch, names[:-1]))
        return jnp.ndim(leaf) >= 2 and not normalises

    return jax.tree_util.tree_map_with_path(is_weight, params)


def _names(path: tuple) -> list[str]:
    """The names in a path, those inside of keys such as `layers.0.weight` and `mlp/linear` too."""
    keys = [jax.tree_util.keystr((key,), simple=True) for key in path]
    if len(keys) > 1 and keys[-1] == "value":  # of a box
        keys.pop()
    return [
        name for key in keys for name in re.split(r"[./~]+", key) if name and not name.isdigit()
    ]
