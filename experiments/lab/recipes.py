"""The lecture's two recipes, as a model and what it is trained with (002:936-941, 004:744-747)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import optax

from experiments.lab.train import momentum_to_zero
from jaxtricks import control, models, normalization, optimizers, regularizers


class Recipe(NamedTuple):
    """How to train for a kind of task.

    Attributes:
        model: the network.
        rule: `(rate, steps) -> update rule` whose rate falls to 0 in so many updates.
        stopping: when to stop, and which model to keep; None trains to the end.
    """

    model: nn.Module
    rule: Callable[[Any, int], optax.GradientTransformation]
    stopping: control.ControlRule | None = None


def large_fully_connected(
    hidden: Sequence[int],
    *,
    inputs: Any = 0.2,
    units: Any = 0.5,
    limit: float | None = 3.0,
    activation: Callable[..., Any] = nn.relu,
    classes: int = 10,
) -> Recipe:
    """Dropout of a fifth of the inputs and half of the hidden units, and a limit of the norm.

    Args:
        hidden: units of the hidden layers.
        inputs: drop rate of the inputs.
        units: drop rate of the hidden units.
        limit: the longest weight vector of a unit, as Srivastava et al. have it; None is none.
        activation: of the hidden layers.
        classes: number of logits.
    """
    layers: list[Any] = [models.flatten, regularizers.Dropout(inputs)]
    for size in hidden:
        layers += [nn.Dense(size), activation, regularizers.Dropout(units)]

    def rule(rate: Any, steps: int) -> optax.GradientTransformation:
        momentum = momentum_to_zero(rate, steps=steps)
        if limit is None:
            return momentum
        return optax.chain(momentum, optimizers.max_norm(limit, mask=optimizers.weights_only))

    return Recipe(models.Sequential([*layers, nn.Dense(classes)]), rule)


def small_data(
    features: Sequence[int],
    *,
    ratio: float = 2**0.5,
    decay: Any = 5e-4,
    patience: int = 10,
    classes: int = 10,
) -> Recipe:
    """Batch norm, pooling over random regions, weight decay, and the best model of the validation.

    Average several such models for the ensemble that the recipe ends with; Cutout and Mixup belong
    in front of it.

    Args:
        features: channels of the convolutions, each followed by fractional pooling.
        ratio: by which pooling shrinks the rows and the columns.
        decay: strength of L2 on the weights.
        patience: epochs without a better validation loss that are tolerated.
        classes: number of logits.
    """
    layers: list[Any] = []
    for size in features:
        convolution = models.Conv(size, (3, 3), use_bias=False)
        pool = regularizers.FractionalMaxPool(ratio)
        layers += [convolution, normalization.BatchNorm(), nn.relu, pool]

    def rule(rate: Any, steps: int) -> optax.GradientTransformation:
        penalty = optimizers.add_l2(decay, mask=optimizers.weights_only)
        return optax.chain(penalty, momentum_to_zero(rate, steps=steps))

    net = models.Sequential([*layers, models.flatten, nn.Dense(classes)])
    return Recipe(net, rule, control.early_stopping(patience))
