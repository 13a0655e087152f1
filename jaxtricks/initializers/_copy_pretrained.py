"""Using weights that were trained on a similar task as initial weights."""

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxtricks._prefix import Mask, expand_mask


def copy_pretrained(params: PyTree, pretrained: PyTree, *, mask: Mask = None) -> PyTree:
    """Copies the leaves where `mask` is True from `pretrained`, by name, and keeps the others.

    Choose layers by name, `mask={"Dense_0": True, "Dense_1": False}`, or by depth: the mask of all
    layers but the last is `jax.tree.map(lambda depth: depth > 0, optimizers.layer_depth(params))`.
    Layers that are not copied may be missing from `pretrained` or have other shapes there, as an
    output layer for other classes has.

    Args:
        params: fresh parameters of the model.
        pretrained: parameters in which every leaf to copy has the same path and shape.
        mask: which parameters to copy: a tree of bools (or a prefix of the parameters' tree), or a
            function of the parameters that returns one. None means all.

    Returns:
        A tree with the structure and dtypes of `params`.

    Raises:
        ValueError: the mask is not a prefix of `params`, or a leaf to copy is missing or has
            another shape.
        TypeError: a leaf of the mask is not a bool, or a leaf to copy does not fit the dtype:
            floats into integers, or complex numbers into real ones.

    Example:
        >>> fresh = {"Dense_0": {"bias": jnp.zeros(2)}, "Dense_1": {"bias": jnp.zeros(3)}}
        >>> old = {"Dense_0": {"bias": jnp.ones(2)}, "Dense_1": {"bias": jnp.ones(10)}}
        >>> copied = copy_pretrained(fresh, old, mask={"Dense_0": True, "Dense_1": False})
        >>> copied["Dense_0"]["bias"].tolist(), copied["Dense_1"]["bias"].tolist()
        ([1.0, 1.0], [0.0, 0.0, 0.0])

    References:
        Yosinski et al., [How transferable are features in deep neural
        networks?](https://arxiv.org/abs/1411.1792), 2014.
    """
    masks = expand_mask("mask", mask, params)
    found = {jax.tree_util.keystr(p): x for p, x in jax.tree_util.tree_leaves_with_path(pretrained)}

    def one(path: jax.tree_util.KeyPath, own: object, chosen: bool) -> object:
        name = jax.tree_util.keystr(path)
        if not chosen:
            return own
        if name not in found:
            raise ValueError(f"pretrained must have {name}, got {sorted(found)}.")
        if jnp.shape(found[name]) != jnp.shape(own):
            raise ValueError(
                f"pretrained{name} must have the shape {jnp.shape(own)}, "
                f"got {jnp.shape(found[name])}."
            )
        given, dtype = jnp.result_type(found[name]), jnp.result_type(own)
        kinds = (jnp.inexact, jnp.complexfloating)
        if any(jnp.issubdtype(given, k) and not jnp.issubdtype(dtype, k) for k in kinds):
            raise TypeError(f"pretrained{name} must fit into {dtype}, got {given}.")
        return jnp.asarray(found[name], dtype)

    return jax.tree_util.tree_map_with_path(one, params, masks)
