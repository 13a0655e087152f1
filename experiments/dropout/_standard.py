"""Networks with standard dropout: training only drops, evaluation scales."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from jaxtricks import models
from jaxtricks.regularizers import Dropout

BEHIND = ("Dense_1", "Dense_2")  # the layers of `standard_net` whose input is dropped


def standard_net(width: int, rate: Any) -> models.MLP:
    """002:692-703: two hidden ReLU layers, standard dropout behind each; `rate` may be traced."""
    return models.MLP((width, width, 10), dropout_rates=rate, block=standard_block)


def standard_block(hidden: models.HiddenLayer) -> tuple[Callable[..., jax.Array], ...]:
    """Dense, activation, standard dropout."""
    dense = nn.Dense(hidden.features, kernel_init=hidden.kernel_init)
    return dense, hidden.activation, Dropout(hidden.dropout_rate, inverted=False)
