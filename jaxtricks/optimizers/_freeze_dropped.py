"""Parameters of dropped units that stay as they are."""

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
    r"""Leaves parameters exactly as they are where `keep` is 0, whatever the rule before it says.

    The gradient of a unit that dropout drops is 0, but momentum, Adam and weight decay change its
    weights all the same. $u_i \leftarrow k_i u_i$ with $k$ the argument `keep` of `update`, a tree
    like the parameters: 1 or True where a parameter is updated, 0 or False where it stays, bit for
    bit. Its leaves may be smaller arrays that broadcast to the parameters, such as one number for
    each unit; a leaf may stand for a whole branch, and None in it updates all below. `True` alone
    freezes nothing. `keep_present` makes the tree from the units that dropout left.

    It is the last link of the chain, behind learning rate, decay and `max_norm`, and has no say in
    what comes before it: the moments of a dropped unit go on as the rule has it for a gradient of
    0, and its next update begins with them. A weight vector of which it freezes a part may be
    longer than the limit of `max_norm` until its next update.

    A rule that goes on to change its updates, as `optax.contrib.schedule_free` around the chain
    does, moves what was frozen. What does not pass extra arguments on cannot be around it: of optax
    `lookahead`, and `MultiSteps` inside a chain or by its `gradient_transformation()`. Of several
    batches in one update, as in `accumulate`, only the `keep` given with the last one has an
    effect: there it must leave the units that every batch dropped. `full_precision` goes around
    the chain.

    Raises:
        ValueError: `update` gets no `keep`, or that holds a number that is neither 0 nor 1 (a
            traced one counts as 1 unless it is 0), is no prefix of the parameters' tree, or a leaf
            of it does not broadcast.
        TypeError: a leaf of `keep` holds no numbers or bools, or one of the parameters is not
            floating.

    Example:
        In two updates with the gradient 1 both units move. In the third the second unit is dropped;
        momentum alone would move it by 0.171.

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

        In training the loss tells the rule what its model's dropout has dropped: in this batch of
        one example four of the eight hidden units.

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
                "freeze_dropped needs keep: pass update(..., keep=tree), in a trainer by "
                "classification_loss(extra_args=...); keep=True freezes nothing."
            )
        every = jax.tree.map(lambda k: True if k is None else k, keep, is_leaf=lambda k: k is None)
        check_keep(every)
        return tree_map_with_path(frozen, expand_prefix("keep", every, updates), updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def check_keep(keep: PyTree) -> None:
    """Checks that every leaf holds numbers or bools, each 0 or 1; traced ones pass.

    Raises:
        TypeError: a leaf holds something else.
        ValueError: a number is neither.
    """
    check_real_tree("keep", keep)
    for path, leaf in tree_leaves_with_path(keep):
        concrete = not isinstance(leaf, jax.core.Tracer)
        if concrete and not np.all((np.asarray(leaf) == 0) | (np.asarray(leaf) == 1)):
            raise ValueError(f"keep{keystr(path)} must hold 0 and 1 only, got {shown(leaf)}.")


def frozen(path: tuple, keep: ArrayLike, update: ArrayLike) -> Array:
    """The update of one leaf, nothing where `keep` is 0.

    Raises:
        ValueError: `keep` does not broadcast to it.
    """
    shape, own = jnp.shape(update), jnp.shape(keep)
    padded = (1,) * (len(shape) - len(own)) + own
    if len(own) > len(shape) or any(k not in (1, n) for k, n in zip(padded, shape, strict=True)):
        raise ValueError(f"keep{keystr(path)} must broadcast to the shape {shape}, got {own}.")
    present = jnp.broadcast_to(jnp.asarray(keep).astype(bool), shape)
    nothing = jnp.asarray(-0.0, jnp.result_type(update))  # 0.0 would turn a weight of -0.0 into 0.0
    return jnp.where(present, update, nothing)
