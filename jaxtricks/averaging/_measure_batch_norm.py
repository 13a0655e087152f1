"""The batch-norm statistics of the whole training set, layer by layer."""

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
    "apply must call a BatchNorm of flax.linen or of jaxtricks whenever it is called; is the model "
    "one of nnx?"
)


class Moments(NamedTuple):
    """Of values seen so far: how many per feature, their mean, and squares around it.

    The mean is counted from `origin`, one of the values: with a deviation of a millionth of the
    mean, means of batches would differ by roundings.
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
    r"""Gives each batch-norm layer the mean and variance of its input over all examples.

    The layers before it normalise by *their* statistics of all examples, as they will in the test:
    the first layer's are taken first, then the second's, one pass over the examples for each. The
    result is that of one training batch that holds everything, without the memory for it.
    `recalibrate_batch_norm` takes one pass, and averages what each layer sees when the layers
    before it normalise by the batch.

    Args:
        apply: `(variables, batch) -> anything`: runs the model in evaluation mode. Layers inside
            `nn.remat`, `nn.scan` or `nn.vmap` cannot be measured; build the model without it.
        variables: `"params"` and the model's other collections.
        examples: a tree of arrays whose first axis is the example, preprocessed as in the test.
        batch_size: how many go through the model at once; the numbers do not depend on it. What is
            left over by whole batches is a smaller one.

    Returns:
        The collections other than `"params"`, with new statistics of each
        `normalization.BatchNorm` and `flax.linen.BatchNorm`.

    Raises:
        ValueError: `batch_size` is under 1 or above the number of examples, `examples` differ in
            number, there are no `"params"`, no layer was found, one is called twice, with a mask,
            or inside `nn.remat`, `nn.scan` or `nn.vmap`, or `apply` runs it in training mode.
        TypeError: `batch_size` is not an integer, `variables` not a mapping, or `apply` not a
            function.

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
            seen = _inputs(apply, variables, rows(start, size), origins)
            if seen.keys() != total.keys():
                raise ValueError(UNSEEN)
            return {name: _merge(total[name], seen[name]) for name in seen}

        def more(total: Any, step: Array) -> tuple[Any, None]:
            return merged(total, step * batch_size, batch_size), None

        total = _inputs(apply, variables, rows(0, batch_size))
        total, _ = jax.lax.scan(more, total, jnp.arange(1, steps))
        return merged(total, steps * batch_size, left) if left else total

    state = {name: tree for name, tree in variables.items() if name != "params"}
    order: list[str] = []
    jax.eval_shape(lambda: order.extend(_inputs(apply, variables, rows(0, batch_size))))
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


def _inputs(
    apply: Callable, variables: Any, batch: Any, origins: Mapping[str, Array] | None = None
) -> dict[str, Moments]:
    """The moments of each batch-norm layer's input, in the order of the calls.

    `origins`: what their means are counted from; by default the first example.
    """
    found: dict[str, Moments] = {}
    outside = current_trace()

    def look(run: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        layer = context.module
        if isinstance(layer, nn.BatchNorm | BatchNorm) and context.method_name == "__call__":
            name = "/".join(layer.path)
            if current_trace() != outside:
                raise ValueError(
                    f"{name} is inside nn.remat, nn.scan, nn.vmap or another transformation, out "
                    "of which its input cannot be taken: apply the model without it. nn.remat has "
                    "the variables of the plain model, nn.scan and nn.vmap have stacks of them."
                )
            if name in found:
                raise ValueError(f"{name} is called twice, and has one set of statistics.")
            x, training = _arguments(layer, *args, **kwargs)
            if kwargs.get("mask") is not None:
                raise ValueError(
                    f"apply must call {name} without a mask: leave out examples that do not count."
                )
            if training:
                raise ValueError(f"apply must run {name} in evaluation mode.")
            origin = origins.get(name) if origins else None
            found[name] = _moments(x, statistics_axes(layer.axis, x.ndim), origin)
        return run(*args, **kwargs)

    with nn.intercept_methods(look), jax.disable_jit():  # nn.jit keeps traces, and calls no layer
        apply(variables, batch)
    return found


def _arguments(layer: nn.Module, x: Array, *args: Any, **kwargs: Any) -> tuple[Array, bool]:
    """The input of a layer's call, and whether it is in training mode."""
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
    """Of both together, counted from the same origin (Chan et al., 1979)."""
    count, apart = a.count + b.count, b.mean - a.mean
    mean = a.mean + apart * (b.count / count)
    squares = a.squares + b.squares + jnp.square(apart) * (a.count * b.count / count)
    return Moments(count, a.origin, mean, squares)
