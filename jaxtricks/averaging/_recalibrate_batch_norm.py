"""New batch-norm statistics for weights that do not come directly from training."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array, PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks._checks import check_flag, check_function, check_instance, check_integer, shown
from jaxtricks._tree_checks import check_real_tree
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.normalization import BatchNorm

_PROBE = 2.0**60  # a statistic so large that adding a batch's statistic does not change it


def recalibrate_batch_norm(
    apply: Callable[[Any, Any], Mapping[str, PyTree]],
    variables: Mapping[str, PyTree],
    examples: PyTree,
    batch_size: int,
    *,
    unbiased: bool = False,
) -> dict[str, PyTree]:
    r"""Re-estimates batch-norm statistics for given weights from training batches.

    The new statistics are means over the batches $b$ with equal weights:
    $\mu = \mathrm{mean}_b\, \mu_b$ and $\sigma^2 = \mathrm{mean}_b\, \sigma_b^2$. Use this for
    averaged weights, because the statistics from training belong to other weights. The model runs
    once over the batches in training mode, where each layer normalises by the batch, so one pass
    estimates the statistics of all layers. Training can continue from the new statistics.

    It works for every layer that stores floating statistics $r$ in the collection `"batch_stats"`,
    does not use them in training, and updates them by $r \leftarrow d r + (1 - d) s$ with the
    statistic $s$ of the batch, such as `flax.linen.BatchNorm`. The factor $d$ is found by running
    the first batch from a huge $r$, which makes $s$ negligible; each $s$ is found by running its
    batch from $r = 0$. The relative error of the estimate is about $10^{-7} / (1 - d)$. Statistics
    that the model does not update ($d = 1$) and integers in the collection stay unchanged. If there
    is no collection `"batch_stats"`, the other collections are returned unchanged, and `apply` is
    not called.

    Args:
        apply: `(variables, batch) -> model state`: runs the model in training mode and returns the
            collections that it updated.
        variables: `"params"` and the model's other collections.
        examples: a tree of arrays whose first axis is the example, preprocessed as in training and
            in random order: if they are sorted by class, the variance within a batch is too small.
        batch_size: the batch size of training. Examples beyond the last full batch are not used.
        unbiased: whether to multiply the variance of each `flax.linen.BatchNorm` and
            `normalization.BatchNorm` by $N / (N - 1)$, where $N$ is the number of values per
            feature in a batch, unless the layer does so itself (`unbiased_running_var`). The
            variance of other layers is not changed.

    Returns:
        The collections other than `"params"`, with new statistics.

    Raises:
        ValueError: `batch_size` is under 1 or above the number of examples, the arrays in
            `examples` differ in length, `variables` has no `"params"`, `apply` returns no
            `"batch_stats"` or updates no statistic, or `unbiased` is set and `apply` calls no
            batch-norm layer, or calls one with a mask or with a single value per feature.
        TypeError: `batch_size` is not an integer, `variables` or the result of `apply` is not a
            mapping, `apply` is not a function, `unbiased` is not a bool, or a leaf of `examples` is
            not an array of real numbers.

    Example:
        >>> class Model(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, x, *, train):
        ...         return nn.BatchNorm(use_running_average=not train)(x)
        >>> model, x = Model(), jnp.array([[1.0], [3.0], [2.0], [6.0]])
        >>> variables = model.init(jax.random.key(0), x, train=False)
        >>> def apply(variables, x):
        ...     return model.apply(variables, x, train=True, mutable=["batch_stats"])[1]
        >>> state = recalibrate_batch_norm(apply, variables, x, batch_size=2)
        >>> for name, statistic in state["batch_stats"]["BatchNorm_0"].items():
        ...     print(name, statistic.round(4))
        mean [3.]
        var [2.5]
    """
    check_function("apply", apply)
    check_flag("unbiased", unbiased)
    check_variables(variables)
    steps = count_batches(examples, batch_size)
    state = {name: tree for name, tree in variables.items() if name != "params"}
    if "batch_stats" not in variables:
        return state
    old = variables["batch_stats"]

    def batch(step: Array | int) -> PyTree:
        def rows(leaf: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(leaf, step * batch_size, batch_size)

        return jax.tree.map(rows, examples)

    def updated_by(stats: PyTree, step: Array | int) -> PyTree:
        return _statistics(apply({**variables, "batch_stats": stats}, batch(step)))

    zeros = _filled(old, 0.0)

    def body(total: PyTree, step: Array) -> tuple[PyTree, None]:
        return jax.tree.map(_add, total, updated_by(zeros, step)), None

    keep = jax.tree.map(lambda leaf: leaf / _PROBE, updated_by(_filled(old, _PROBE), 0))
    _check_updated(keep, old)
    total, _ = jax.lax.scan(body, zeros, jnp.arange(steps))
    factors = _bessel(apply, variables, batch) if unbiased else jax.tree.map(lambda _: 1.0, old)

    def estimate(total: Array, keep: Array, factor: float, before: Array) -> Array:
        if not jnp.issubdtype(before.dtype, jnp.floating):
            return before
        taken = jnp.where(keep == 1, 1, 1 - keep)
        mean = factor * total / (steps * taken)
        return jnp.where(keep == 1, before, mean).astype(before.dtype)

    return {**state, "batch_stats": jax.tree.map(estimate, total, keep, factors, old)}


def count_batches(examples: PyTree, batch_size: int) -> int:
    """Counts the full batches in `examples`, whose arrays must have the same length."""
    check_integer("batch_size", batch_size, low=1)
    check_real_tree("examples", examples)
    if not all(map(jnp.ndim, jax.tree.leaves(examples))):
        raise ValueError(
            f"examples must be arrays whose first axis is the example, got {shown(examples)}."
        )
    sizes = {len(leaf) for leaf in jax.tree.leaves(examples)}
    if len(sizes) != 1:
        raise ValueError(f"examples must be arrays of one length, got lengths {sorted(sizes)}.")
    (size,) = sizes
    if batch_size > size:
        raise ValueError(f"batch_size must be at most the {size} examples, got {batch_size}.")
    return size // batch_size


def _filled(stats: PyTree, value: float) -> PyTree:
    """Sets every floating statistic of a tree to `value`, in float32 or wider."""

    def fill(leaf: Array) -> Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return jnp.full_like(leaf, value, dtype=wide_dtype(leaf.dtype))

    return jax.tree.map(fill, stats)


def _check_updated(keep: PyTree, old: PyTree) -> None:
    """Checks that the model updates a statistic; traced values are not checked."""
    pairs = zip(jax.tree.leaves(keep), jax.tree.leaves(old), strict=True)
    factors_found = [k for k, before in pairs if jnp.issubdtype(before.dtype, jnp.floating)]
    if any(isinstance(k, jax.core.Tracer) for k in factors_found):
        return
    if factors_found and all(np.all(np.asarray(k) == 1) for k in factors_found):
        raise ValueError("apply must run the model in training mode: it updated no statistic.")


def _add(total: Array, new: Array) -> Array:
    return (total + new).astype(total.dtype)


def _statistics(updated: Mapping[str, PyTree]) -> PyTree:
    check_instance("the result of apply", updated, Mapping)
    if "batch_stats" not in updated:
        raise ValueError(f'apply must return "batch_stats" too, got {sorted(updated)}.')
    return updated["batch_stats"]


def _bessel(apply: Callable, variables: Mapping[str, PyTree], batch: Callable) -> PyTree:
    """Makes a tree of factors: N / (N - 1) for each biased batch-norm variance, otherwise 1."""
    factors = jax.tree.map(lambda _: 1.0, variables["batch_stats"])
    flat = traverse_util.flatten_dict(factors)
    found = []

    def record(run: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        layer = context.module
        if isinstance(layer, nn.BatchNorm | BatchNorm) and context.method_name == "__call__":
            x = args[0] if args else kwargs["x"]
            if kwargs.get("mask") is not None:
                raise ValueError(
                    "unbiased needs batch norm without a mask: leave out examples that do not count"
                    f" or set unbiased=False; {'/'.join(layer.path)} has a mask."
                )
            size = x.size // layer.get_variable("batch_stats", "var").size
            if layer.axis_name is not None:
                size *= jax.lax.axis_size(layer.axis_name)
            if size < 2:
                raise ValueError(f"unbiased needs at least two values per feature, got {size}.")
            corrected = getattr(layer, "unbiased_running_var", False)
            flat[(*layer.path, "var")] = 1.0 if corrected else size / (size - 1)
            found.append(layer.path)
        return run(*args, **kwargs)

    with nn.intercept_methods(record), jax.disable_jit():  # a cached trace of nn.jit calls no layer
        jax.eval_shape(lambda variables: apply(variables, batch(0)), variables)
    if not found:
        raise ValueError(
            "unbiased found no BatchNorm of flax.linen or of jaxtricks to correct; models of "
            "flax.nnx do not support unbiased=True."
        )
    return traverse_util.unflatten_dict(flat)
