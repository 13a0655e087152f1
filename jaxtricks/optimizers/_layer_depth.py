"""The distance of each layer from the output."""

import re
from collections.abc import Mapping

import jax
from jaxtyping import PyTree

from jaxtricks._checks import shown
from jaxtricks._tree_checks import check_real_tree


def layer_depth(params: PyTree) -> PyTree:
    """Gives each parameter the number of layers between its own layer and the output.

    The layers are the top-level entries, in the natural order of their names: `Dense_2` comes
    before `Dense_10`, and the last layer has depth 0. If the only entry is `params`, the layers are
    its entries. Names of several kinds (`BatchNorm_0`, `Conv_0`, `Dense_0`) are in alphabetical
    order of the kinds, which need not be their order in the network. In that case write the tree of
    depths by hand.

    Args:
        params: a mapping from names of layers to their parameters.

    Returns:
        A tree like `params`, with an integer for each leaf.

    Raises:
        TypeError: `params` is not a mapping, or a leaf is complex or holds no numbers.

    Example:
        >>> layer_depth({"Dense_10": {"bias": 0.0}, "Dense_2": {"bias": 0.0}})
        {'Dense_10': {'bias': 0}, 'Dense_2': {'bias': 1}}
    """
    wrapped = isinstance(params, Mapping) and tuple(params) == ("params",)
    layers = params["params"] if wrapped else params
    if not isinstance(layers, Mapping):
        raise TypeError(f"params must map names of layers to parameters, got {shown(layers)}.")
    check_real_tree("params", params)

    def natural(name: object) -> list[str | int]:
        return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", str(name))]

    names = sorted(layers, key=natural, reverse=True)
    depths = {name: depth for depth, name in enumerate(names)}
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: depths[path[1 if wrapped else 0].key], params
    )
