"""The fully connected networks that the notes print."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, ScalarLike

from jaxtricks._checks import check_flag, check_integer
from jaxtricks.initializers import gaussian
from jaxtricks.models._mlp import MLP

LECUN_NORMAL = nn.initializers.lecun_normal()  # Flax's own default
SMALL_NORMAL = gaussian(std=0.01)


def tensorflow_mlp(rate: ScalarLike = 0.5, *, classes: int = 10) -> MLP:
    """256, 128, 64 and 32 ReLU units, with dropout after the first two layers.

    Glorot's uniform initialisation, Keras' default.

    Args:
        rate: of both dropouts, in `[0, 1]`.
        classes: number of logits.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> tensorflow_mlp(0.2).rates
        (0.2, 0.2, 0.0, 0.0)

    References:
        S-ARC-01; notes 000:49-55.
    """
    check_integer("classes", classes, low=1)
    return MLP(
        (256, 128, 64, 32, classes),
        rates=(rate, rate, 0.0, 0.0),
        kernel_init=nn.initializers.glorot_uniform(),
    )


def pytorch_mlp(rate: ScalarLike = 0.5, *, classes: int = 10) -> MLP:
    """200 and 200 ReLU units, with dropout before each activation.

    Args:
        rate: of both dropouts, in `[0, 1]`.
        classes: number of logits.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> pytorch_mlp().features
        (200, 200, 10)

    References:
        S-ARC-02; notes 001:79-87.
    """
    check_integer("classes", classes, low=1)
    return MLP((200, 200, classes), rates=rate, dropout_position="before_activation")


def three_layer_net(width: int = 100, *, rate: ScalarLike = 0.5, classes: int = 10) -> MLP:
    """Two hidden ReLU layers with a dropout mask each, and logits.

    The notes print it for columns, and with masks that are not scaled; here rows, and scaled.

    Args:
        width: units of both hidden layers; the notes leave it open.
        rate: probability of dropping, in `[0, 1]` (the notes' p is that of keeping).
        classes: number of logits.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> three_layer_net(50).features
        (50, 50, 10)

    References:
        S-ARC-03; notes 002:697-703.
    """
    check_integer("width", width, low=1)
    check_integer("classes", classes, low=1)
    return MLP((width, width, classes), rates=rate)


def deep_mlp(
    depth: int = 10,
    *,
    width: int = 500,
    activation: Callable[[Array], Array] = jnp.tanh,
    batch_norm: bool = False,
    kernel_init: Callable[..., Array] = SMALL_NORMAL,
    classes: int = 10,
) -> MLP:
    """Equal hidden layers, and logits: how signals pass through depth.

    Args:
        depth: number of hidden layers.
        width: units of each; the notes leave it open.
        activation: tanh or ReLU in the notes.
        batch_norm: whether each hidden layer has one, before its activation. With the default
            start that is the pair the notes recommend, batch norm and a deviation of 0.01.
        kernel_init: the notes start from N(0, 0.01), here a standard deviation of 0.01.
        classes: number of logits.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is under 1.

    Example:
        >>> deep_mlp(3, width=7).features
        (7, 7, 7, 10)

    References:
        S-ARC-04, S-INI-10; notes 004:321, 548.
    """
    check_flag("batch_norm", batch_norm)
    for name, size in (("depth", depth), ("width", width), ("classes", classes)):
        check_integer(name, size, low=1)
    return MLP(
        (*[width] * depth, classes),
        activation=activation,
        batch_norm=batch_norm,
        kernel_init=kernel_init,
    )


def batch_norm_mlp(
    *,
    batch_norm: bool = True,
    axis_name: str | None = None,
    kernel_init: Callable[..., Array] = LECUN_NORMAL,
    classes: int = 10,
) -> MLP:
    """Three hidden layers of 100 sigmoid units, with batch norm before each activation, or none.

    Args:
        batch_norm: whether there is any.
        axis_name: of a mapped axis over which it shares its statistics, or None.
        kernel_init: initialises the weights; with batch norm a deviation of 0.01 is enough, say the
            notes (004:548), `initializers.gaussian(std=0.01)`.
        classes: number of logits.

    Raises:
        TypeError: `batch_norm` is no bool.
        ValueError: `classes` is under 1.

    Example:
        >>> batch_norm_mlp(batch_norm=False).features
        (100, 100, 100, 10)

    References:
        S-ARC-05, S-INI-10; notes 004:495-506, 548; the MNIST network of
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.
    """
    check_flag("batch_norm", batch_norm)
    check_integer("classes", classes, low=1)
    return MLP(
        (100, 100, 100, classes),
        activation=nn.sigmoid,
        batch_norm=batch_norm,
        axis_name=axis_name,
        kernel_init=kernel_init,
    )


def linear_model(classes: int = 10) -> MLP:
    """Logits that are linear in the pixels: logistic regression.

    Args:
        classes: number of logits.

    Raises:
        ValueError: `classes` is under 1.

    Example:
        >>> linear_model(3).features
        (3,)

    References:
        S-ARC-06; notes 003:9, 004:309.
    """
    check_integer("classes", classes, low=1)
    return MLP((classes,))
