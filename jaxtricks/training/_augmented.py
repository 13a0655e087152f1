"""Preprocessing and augmenting a training batch."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import Array, Key

from jaxtricks._checks import check_instance
from jaxtricks.training._loss import Batch, Loss


def augmented(
    augment: Callable[[Key[Array, ""], Batch], Batch], loss: Loss, key: Key[Array, ""], batch: Batch
) -> Batch:
    """Returns the batch after the loss's preprocessing, `loss.prepare`, and then `augment`.

    Raises:
        TypeError: `augment` does not return a dict.
        ValueError: `augment` drops an entry of the batch or changes the number of examples.
    """
    prepare = getattr(loss, "prepare", None)
    before = batch if prepare is None else prepare(batch)
    after = augment(key, before)
    check_instance("what augment returns", after, Mapping)
    if missing := sorted(before.keys() - after.keys()):
        raise ValueError(f"augment must return all entries of the batch, {missing} are missing.")
    rows = {
        f"{path[0].key}{keystr(path[1:])}": jnp.shape(values)[:1]
        for path, values in tree_leaves_with_path(dict(after))
        if jnp.ndim(values)
    }
    if set(rows.values()) != {jnp.shape(before["weight"])}:
        raise ValueError(
            f"augment must return {len(before['weight'])} rows in each entry, got {rows}."
        )
    return after
