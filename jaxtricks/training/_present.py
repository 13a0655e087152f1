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
    """Replaces each example of weight 0 by a copy of an example that is present.

    A row of weight 0 may hold anything, and zero times NaN would make every gradient NaN. So each
    such row is replaced by a copy of the first row whose weight is not 0, or by zeros if there is
    no such row. The copy is computed as a sum over the batch, which many devices can do without
    sending rows to each other. A value without an axis of examples stays as it is. The weights are
    returned in float32 or wider. A batch without `"weight"` gets weights of 1.

    Raises:
        ValueError: a number on the host does not fit into the dtype to which JAX converts it, or no
            value has an axis of examples.
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


@jax.jit  # one program, so that `jax_debug_nans` ignores NaN in rows of weight 0
def with_present_rows(rows: dict[str, Any], weight: Array) -> dict[str, Any]:
    """Replaces the rows of weight 0, and returns the weights in float32 or wider."""
    weight = weight.astype(wide_dtype(weight.dtype))
    present = weight != 0  # a weight of NaN counts as present, so that the step reports it
    first = present & (jnp.cumsum(present.astype(jnp.int32)) == 1)

    def replaced(x: Array) -> Array:
        keys = not jnp.issubdtype(x.dtype, jnp.number) and x.dtype != bool
        if keys or x.ndim == 0:  # a value without an axis belongs to all examples
            return x
        column = (-1, *(1,) * (x.ndim - 1))
        alone = jnp.where(first.reshape(column), x, jnp.zeros((), x.dtype))
        row = jnp.sum(alone, axis=0, keepdims=True, dtype=x.dtype)
        return jnp.where(present.reshape(column), x, row)

    def replace_all(rows: dict[str, Any]) -> dict[str, Any]:
        return jax.tree.map(replaced, rows)

    rows = jax.lax.cond(jnp.all(present), lambda rows: rows, replace_all, rows)
    return {**rows, "weight": weight}
