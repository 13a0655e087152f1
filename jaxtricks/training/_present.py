"""Examples of weight 0 are absent: nothing in them reaches the model."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import shown
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.training._loss import Batch


def present_examples(batch: Batch) -> dict[str, Any]:
    """The batch with its weights in float32 or wider, and only present examples in it.

    A row of weight 0 may hold anything, and zero times NaN is NaN in every gradient. So each such
    row is replaced by a copy of the first row whose weight is not 0, or by zeros if there is none.
    The copy is a sum over the batch in which one row counts, which many devices do without sending
    their rows around. A number alone, without an axis of examples, stays as it is. So does a batch
    without weights, which gets weights of 1.

    Raises:
        ValueError: a number on the host does not fit into the dtype in which JAX holds it, or
            nothing has an axis of examples.
    """
    check_rows_fit(batch)
    if "weight" not in batch:
        sizes = [len(values) for values in jax.tree.leaves(batch) if jnp.ndim(values)]
        if not sizes:
            raise ValueError(
                f"batch must hold arrays with an axis of examples, got {shown(batch)}."
            )
        return {**batch, "weight": jnp.ones(sizes[0], jnp.float32)}
    rows = {name: values for name, values in batch.items() if name != "weight"}
    return with_present_rows(rows, jnp.asarray(batch["weight"]))


@jax.jit  # so that `jax_debug_nans` does not find what is absent
def with_present_rows(rows: dict[str, Any], weight: Array) -> dict[str, Any]:
    """The rows, each absent one replaced, and the weights in float32 or wider."""
    weight = weight.astype(wide_dtype(weight.dtype))
    present = weight != 0  # NaN is, so that it is seen
    first = present & (jnp.cumsum(present.astype(jnp.int32)) == 1)

    def replaced(x: Array) -> Array:
        keys = not jnp.issubdtype(x.dtype, jnp.number) and x.dtype != bool
        if keys or x.ndim == 0:  # what has no axis of examples belongs to all of them
            return x
        column = (-1, *(1,) * (x.ndim - 1))
        alone = jnp.where(first.reshape(column), x, jnp.zeros((), x.dtype))
        row = jnp.sum(alone, axis=0, keepdims=True, dtype=x.dtype)
        return jnp.where(present.reshape(column), x, row)

    def replace_all(rows: dict[str, Any]) -> dict[str, Any]:
        return jax.tree.map(replaced, rows)

    rows = jax.lax.cond(jnp.all(present), lambda rows: rows, replace_all, rows)
    return {**rows, "weight": weight}
