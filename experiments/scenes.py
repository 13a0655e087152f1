"""The surfaces, starts and rates that all trajectory figures share.

Fixed before any picture was looked at. The banana, Beale's valley and the saddle take the view and
the start of the lecture's own pictures, from `jaxtricks.surfaces`.
"""

import math

import numpy as np
import optax

from jaxtricks import optimizers, surfaces

# The lecture's contour: steep across, flat along, condition number 20.
VALLEY = surfaces.quadratic((1.0, 20.0))._replace(
    start=np.array([-3.0, 1.0]), view=((-3.5, 3.5), (-1.75, 1.75))
)
ROTATED_VALLEY = surfaces.quadratic((1.0, 20.0), angle=math.pi / 6)._replace(
    start=np.array([-3.0, 0.5]), view=((-3.5, 3.5), (-2.5, 2.5))
)

# Just under the limit of stability 2 / 20, where gradient descent zig-zags.
ZIGZAG_RATE = 0.095
DECAY = 0.9
RATES = {
    "gradient descent": 0.02,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.5,
    "adadelta": 1.0,
    "rmsprop": 0.05,
    "adam": 0.1,
}


def rule(name: str, rate: float | None = None) -> optax.GradientTransformationExtraArgs:
    """The optimizer drawn under `name`, at the shared rate unless another is given."""
    makers = {
        "gradient descent": optimizers.gradient_descent,
        "momentum": lambda rate: optimizers.momentum(rate, DECAY),
        "nesterov": lambda rate: optimizers.nesterov(rate, DECAY),
        "adagrad": optimizers.adagrad,
        "adadelta": optimizers.adadelta,
        "rmsprop": optimizers.rmsprop,
        "adam": optimizers.adam,
    }
    return makers[name](RATES[name] if rate is None else rate)
