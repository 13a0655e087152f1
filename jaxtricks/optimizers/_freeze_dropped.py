"""Keeping the parameters of dropped units fixed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import keystr, tree_leaves_with_path, tree_map_with_path
from jaxtyping import Array, PyTree

from jaxtricks._checks import shown
from jaxtricks._prefix import expand_prefix
from jaxtricks._tree_checks import check_floating_tree, check_real_tree, check_updates
from jaxtricks._types import ArrayLike


def freeze_dropped() -> optax.GradientTransformationExtraArgs:
    """Leaves parameters exactly as they are where `keep` is 0, such as those of dropped units.

    The gradient of a unit that dropout has dropped is 0, but momentum, Adam and weight decay would
    still change its weights. This transformation makes the updates $k_i u_i$, where $k$ is the
    argument `keep` of `update`: a tree like the parameters, 1 or True where a parameter is updated,
    and 0 or False where it stays the same, bit for bit. A leaf of `keep` may be a smaller array
    that broadcasts to the parameter, such as one number for each unit. It may also stand for a
    whole branch, and None updates everything below it. `True` alone freezes nothing. `keep_present`
    makes the tree from the units that are present.

    Put it last in the chain, after the learning rate, weight decay and `max_norm`. It does not
    change what the rules before it compute: they update the moments of a dropped unit as for a
    gradient of 0, and the next update of the unit starts from these moments. If only some of the
    weights of a vector are frozen, the vector may be longer than the limit of `max_norm` until its
    next update.

    A wrapper that changes the updates afterwards, such as `optax.contrib.schedule_free`, moves
    frozen parameters. A wrapper around the chain must pass on extra arguments. In optax,
    `lookahead` does not, nor does `MultiSteps` inside a chain or through its
    `gradient_transformation()`. If several batches make one update, as in `accumulate`, only the
    `keep` given with the last batch has an effect: it must be 0 for the units that every batch has
    dropped. Put `full_precision` around the whole chain.

    Raises:
        ValueError: `update` gets no `keep`; or `keep` holds a number other than 0 and 1 (a traced
            number other than 0 counts as 1), is not a prefix of the parameters' tree, or has a leaf
            that does not broadcast to the parameter.
        TypeError: a leaf of `keep` does not hold numbers or bools, or a leaf of the parameters or
            updates is not floating-point.

    Example:
        In the first two updates, with the gradient 1, both units move. In the third update the
        second unit is dropped; momentum alone would move it by 0.171.

        >>> from jaxtricks.optimizers import momentum
        >>> tx = optax.chain(momentum(0.1, decay=0.9), freeze_dropped())
        >>> kernel = jnp.ones((1, 2))
        >>> state = tx.init(kernel)
        >>> for keep in ([1, 1], [1, 1], [1, 0]):
        ...     gradient = jnp.array([keep], float)
        ...     updates, state = tx.update(gradient, state, kernel, keep=jnp.array([keep]))
        ...     kernel = optax.apply_updates(kernel, updates)
        ...     print([f"{weight:.3f}" for weight in kernel[0]])
        ['0.900', '0.900']
        ['0.710', '0.710']
        ['0.439', '0.710']

        With a trainer, the loss makes `keep` from the masks of its model's dropout, by the function
        `extra_args`. In this batch of one example, dropout drops four of the eight hidden units;
        the result is 1 for each unit whose weights to the next layer have not changed.

        >>> from jaxtricks import models, optimizers, regularizers, training
        >>> def of_dropout(params, masks, weight):
        ...     present = regularizers.present_units(masks["Dropout_0"], weight)
        ...     units = {("Dense_0", "Dense_1"): present}
        ...     return {"keep": optimizers.keep_present(params, units)}
        >>> net = models.MLP((8, 2), dropout_rates=0.5)
        >>> loss = training.classification_loss(net, extra_args=of_dropout)
        >>> tx = optax.chain(optimizers.adamw(0.1, weight_decay=0.01), freeze_dropped())
        >>> trainer = training.trainer(loss, tx)
        >>> batch = {"image": jnp.array([[1.0, 2.0]]), "label": jnp.array([0])}
        >>> variables = net.init(jax.random.key(0), batch["image"], train=False)
        >>> state, step = trainer.init(variables), jax.jit(trainer.step)
        >>> before, (state, _) = state.params, step(state, batch, jax.random.key(1))
        >>> same = before["Dense_1"]["kernel"] == state.params["Dense_1"]["kernel"]
        >>> same.all(axis=1).astype(int).tolist()
        [1, 0, 0, 0, 1, 1, 0, 1]

    References:
        Srivastava et al.,
        [Dropout: a simple way to prevent neural networks from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 5.1.
    """

    def init(params: PyTree) -> optax.EmptyState:
        check_floating_tree("params", params)
        return optax.EmptyState()

    def update(
        updates: PyTree,
        state: optax.EmptyState,
        params: PyTree | None = None,
        *,
        keep: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, optax.EmptyState]:
        del extra_args
        check_updates(updates, params)
        if keep is None:
            raise ValueError(
                "keep must be given: call update(..., keep=tree), or with a trainer give "
                "classification_loss the argument extra_args; keep=True freezes nothing."
            )
        every = jax.tree.map(lambda k: True if k is None else k, keep, is_leaf=lambda k: k is None)
        check_keep(every)
        return tree_map_with_path(mask_one, expand_prefix("keep", every, updates), updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def check_keep(keep: PyTree) -> None:
    """Checks that every leaf of `keep` holds numbers or bools, each 0 or 1; traced leaves pass.

    Raises:
        TypeError: a leaf holds something else.
        ValueError: a number is neither 0 nor 1.
    """
    check_real_tree("keep", keep)
    for path, leaf in tree_leaves_with_path(keep):
        concrete = not isinstance(leaf, jax.core.Tracer)
        if concrete and not np.all((np.asarray(leaf) == 0) | (np.asarray(leaf) == 1)):
            raise ValueError(f"keep{keystr(path)} must hold 0 and 1 only, got {shown(leaf)}.")


def mask_one(path: tuple, keep: ArrayLike, update: ArrayLike) -> Array:
    """Returns the update of one parameter, set to 0 where `keep` is 0.

    Raises:
        ValueError: `keep` does not broadcast to the parameter.
    """
    shape, own = jnp.shape(update), jnp.shape(keep)
    padded = (1,) * (len(shape) - len(own)) + own
    if len(own) > len(shape) or any(k not in (1, n) for k, n in zip(padded, shape, strict=True)):
        raise ValueError(f"keep{keystr(path)} must broadcast to the shape {shape}, got {own}.")
    present = jnp.broadcast_to(jnp.asarray(keep).astype(bool), shape)
    nothing = jnp.asarray(-0.0, jnp.result_type(update))  # adding 0.0 would turn -0.0 into 0.0
    return jnp.where(present, update, nothing)
