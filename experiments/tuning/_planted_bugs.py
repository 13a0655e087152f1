"""Training code with one planted bug each.

The check on a few images should find those of `BUGS`, which are judged. Those of `HIDDEN` leave the
images learnable, so it need not find them; they are shown.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from experiments.tuning._fifty_images import Code
from jaxtricks import optimizers, training


def shuffled(key: jax.Array, examples: Any) -> Any:
    """The same labels in another order."""
    return {**examples, "label": jax.random.permutation(key, examples["label"])}


def random_labels(key: jax.Array, examples: Any) -> Any:
    """A label for every image, whatever it shows."""
    label = examples["label"]
    return {**examples, "label": jax.random.randint(key, label.shape, 0, 10, label.dtype)}


def divided_as_integers(key: jax.Array, examples: Any) -> Any:
    """Pixels over 255 without the fraction: 1 where a pixel was 255, else 0."""
    del key
    return {**examples, "image": jnp.float32(examples["image"] // 255)}


def upwards(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """The rule with the sign of its steps turned."""
    return optax.chain(rule, optax.scale(-1.0))


def never_cleared(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """The rule, which is given the sum of all gradients so far."""
    return optax.chain(optimizers.scale_by_momentum(1.0), rule)


def all_zero(variables: Any) -> Any:
    """Weights, biases and running statistics that are all 0."""
    return jax.tree.map(jnp.zeros_like, variables)


def loss_over_the_batch(net: nn.Module) -> training.Loss:
    """Cross-entropy of a softmax over the examples, which should be over the classes."""
    right = training.classification_loss(net)

    def loss(params: Any, model_state: Any, batch: Any, keys: Any, *, train: bool) -> Any:
        images = jnp.float32(batch["image"]) / 255
        variables = {"params": params, **model_state}
        logits, _ = net.apply(variables, images, train=train, mutable=[*model_state])
        shares = jax.nn.log_softmax(logits, axis=0)
        losses = -jnp.take_along_axis(shares, batch["label"][:, None], axis=1)[:, 0]
        return losses, right(params, model_state, batch, keys, train=train)[1]

    return loss


def last_layer(params: Any) -> dict[str, bool]:
    """True for the layer of the logits, False for all others."""
    last = max(params, key=lambda name: int(name.split("_")[1]))
    return {name: name == last for name in params}


RIGHT, RANDOM = "right code", "random labels"
BUGS = {
    "labels shuffled in each update": Code(augment=shuffled),
    "gradient added": Code(rule=upwards),
    "all weights start at 0": Code(start=all_zero),
    "pixels divided as integers": Code(examples=divided_as_integers),
    "softmax over the batch": Code(loss=loss_over_the_batch),
    "gradients never cleared": Code(rule=never_cleared),
}
HIDDEN = {
    "labels shuffled once": Code(examples=shuffled),
    "hidden layers not trained": Code(trainable=last_layer),
}
CODES = {RIGHT: Code(), **BUGS, RANDOM: Code(examples=random_labels), **HIDDEN}
