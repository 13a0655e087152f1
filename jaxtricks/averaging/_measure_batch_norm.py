"""The batch-norm statistics of a whole data set, measured layer by layer."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import traverse_util
from flax.core.tracers import current_trace
from jaxtyping import Array, Float, PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks._checks import check_function
from jaxtricks._statistics_axes import statistics_axes
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.averaging._recalibrate_batch_norm import count_batches
from jaxtricks.normalization import BatchNorm

UNSEEN = (
    "apply must call a BatchNorm of flax.linen or of jaxtricks in each of its calls; models of "
    "flax.nnx cannot be measured."
)


class Moments(NamedTuple):
    """The first two moments of the values seen so far, one for each feature.

    The mean is stored as a difference from `origin`, which is one of the values. Otherwise the
    rounding of the batch means would exceed a standard deviation of a millionth of the mean.

    Attributes:
        count: number of values for each feature.
        origin: the value of each feature that is subtracted first.
        mean: mean of the values minus `origin`.
        squares: sum of the squared deviations from the mean.
    """

    count: Float[Array, ""]
    origin: Float[Array, "*features"]
    mean: Float[Array, "*features"]
    squares: Float[Array, "*features"]


def measure_batch_norm(
    apply: Callable[[Any, Any], object],
    variables: Mapping[str, PyTree],
    examples: PyTree,
    batch_size: int,
) -> dict[str, PyTree]:
    """Computes the mean and variance of each batch-norm layer's input over all examples.

    The layers are measured in the order of their calls, with one pass over the examples for each:
    while a layer is measured, the layers before it normalise with the statistics already measured,
    as they do in evaluation. The result is that of one training batch of all examples, but a pass
    needs only the memory for `batch_size` examples. `recalibrate_batch_norm` takes one pass in
    total, in which the layers normalise with the statistics of each batch, and averages these.

    Args:
        apply: `(variables, batch) -> anything`: runs the model in evaluation mode. Layers inside
            `nn.remat`, `nn.scan` or `nn.vmap` cannot be measured; build the model without them.
        variables: `"params"` and the model's other collections.
        examples: a tree of arrays whose first axis is the example, preprocessed as in evaluation.
        batch_size: number of examples that go through the model at once. The result does not depend
            on it. The last batch may be smaller.

    Returns:
        The collections other than `"params"`, with new statistics for each
        `normalization.BatchNorm` and `flax.linen.BatchNorm`.

    Raises:
        ValueError: `batch_size` is under 1 or above the number of examples, the arrays in
            `examples` differ in length, `variables` has no `"params"`, `apply` calls no batch-norm
            layer or runs one in training mode, or a layer is called twice, with a mask, or inside
            `nn.remat`, `nn.scan` or `nn.vmap`.
        TypeError: `batch_size` is not an integer, `variables` is not a mapping, `apply` is not a
            function, or a leaf of `examples` is not an array of real numbers.

    Example:
        >>> from jaxtricks.normalization import BatchNorm
        >>> layer, x = BatchNorm(), jnp.array([[1.0], [3.0], [2.0], [6.0], [3.0]])
        >>> variables = {"params": {}, **layer.init(jax.random.key(0), x, train=False)}
        >>> def apply(variables, x):
        ...     return layer.apply(variables, x, train=False)
        >>> state = measure_batch_norm(apply, variables, x, batch_size=2)
        >>> for name, statistic in state["batch_stats"].items():
        ...     print(name, statistic.round(4))
        mean [3.]
        var [2.8]
    """
    check_function("apply", apply)
    check_variables(variables)
    steps = count_batches(examples, batch_size)

    def rows(start: Array | int, size: int) -> PyTree:
        return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), examples)

    left = len(jax.tree.leaves(examples)[0]) - steps * batch_size

    @jax.jit
    def one_pass(variables: Any) -> dict[str, Moments]:
        def merged(total: Any, start: Array | int, size: int) -> Any:
            origins = {name: moments.origin for name, moments in total.items()}
            seen = _input_moments(apply, variables, rows(start, size), origins)
            if seen.keys() != total.keys():
                raise ValueError(UNSEEN)
            return {name: _merge(total[name], seen[name]) for name in seen}

        def more(total: Any, step: Array) -> tuple[Any, None]:
            return merged(total, step * batch_size, batch_size), None

        total = _input_moments(apply, variables, rows(0, batch_size))
        total, _ = jax.lax.scan(more, total, jnp.arange(1, steps))
        return merged(total, steps * batch_size, left) if left else total

    state = {name: tree for name, tree in variables.items() if name != "params"}
    order: list[str] = []
    jax.eval_shape(lambda: order.extend(_input_moments(apply, variables, rows(0, batch_size))))
    if not order:
        raise ValueError(UNSEEN)
    for name in order:
        found = one_pass({**variables, **state})
        if name not in found:
            raise ValueError(UNSEEN)
        moments = found[name]
        flat = traverse_util.flatten_dict(state["batch_stats"], sep="/")
        mean = moments.origin + moments.mean
        new = {"mean": mean, "var": moments.squares / moments.count}
        for kind, value in new.items():
            place = f"{name}/{kind}".lstrip("/")
            flat[place] = value.reshape(flat[place].shape).astype(flat[place].dtype)
        state["batch_stats"] = traverse_util.unflatten_dict(flat, sep="/")
    return state


def _input_moments(
    apply: Callable, variables: Any, batch: Any, origins: Mapping[str, Array] | None = None
) -> dict[str, Moments]:
    """Computes the moments of each batch-norm layer's input, in the order of the calls.

    `origins` holds the `Moments.origin` of each layer; by default it is taken from the first
    example.
    """
    found: dict[str, Moments] = {}
    outside = current_trace()

    def look(run: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        layer = context.module
        if isinstance(layer, nn.BatchNorm | BatchNorm) and context.method_name == "__call__":
            name = "/".join(layer.path)
            if current_trace() != outside:
                raise ValueError(
                    f"{name} is inside nn.remat, nn.scan, nn.vmap or another transformation, where "
                    "its input cannot be read: apply the model without the transformation. With "
                    "nn.remat the variables are those of the plain model; with nn.scan and nn.vmap "
                    "the variables of several layers are stacked."
                )
            if name in found:
                raise ValueError(
                    f"{name} is called twice, but has one set of statistics: call it once."
                )
            x, training = _arguments(layer, *args, **kwargs)
            if kwargs.get("mask") is not None:
                raise ValueError(
                    f"apply must call {name} without a mask: leave out examples that do not count."
                )
            if training:
                raise ValueError(f"apply must run {name} in evaluation mode, got training mode.")
            origin = origins.get(name) if origins else None
            found[name] = _moments(x, statistics_axes(layer.axis, x.ndim), origin)
        return run(*args, **kwargs)

    with nn.intercept_methods(look), jax.disable_jit():  # a cached trace of nn.jit calls no layer
        apply(variables, batch)
    return found


def _arguments(layer: nn.Module, x: Array, *args: Any, **kwargs: Any) -> tuple[Array, bool]:
    """Finds the input of a layer's call, and whether the layer runs in training mode."""
    if isinstance(layer, BatchNorm):
        return x, kwargs["train"]
    given = args[0] if args else kwargs.get("use_running_average")
    return x, not (layer.use_running_average if given is None else given)


def _moments(x: Array, axes_of_statistics: tuple[int, ...], origin: Array | None) -> Moments:
    x = x.astype(wide_dtype(x.dtype))
    axes = tuple(axis for axis in range(x.ndim) if axis not in axes_of_statistics)
    if origin is None:
        first = (slice(None if axis in axes_of_statistics else 1) for axis in range(x.ndim))
        origin = x[tuple(first)]
    distance = x - origin
    mean = jnp.mean(distance, axes, keepdims=True)
    count = jnp.asarray(x.size / mean.size, mean.dtype)
    return Moments(count, origin, mean, jnp.sum(jnp.square(distance - mean), axes, keepdims=True))


def _merge(a: Moments, b: Moments) -> Moments:
    """Combines the moments of two sets of values that have the same origin (Chan et al., 1979)."""
    count, apart = a.count + b.count, b.mean - a.mean
    mean = a.mean + apart * (b.count / count)
    squares = a.squares + b.squares + jnp.square(apart) * (a.count * b.count / count)
    return Moments(count, a.origin, mean, squares)
