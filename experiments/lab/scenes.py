"""The surfaces, starting points and rates that all trajectory figures share.

Fixed before any picture was looked at. The banana, Beale's valley and the saddle take the view and
the start of the lecture's own pictures, from `jaxtricks.surfaces`.
"""

import math

import numpy as np
import optax

from jaxtricks import optimizers, surfaces

# Starts of the valley, of the turned one, and of the paths over the linear regression.
VALLEY_START, ROTATED_START, LINE_START = (-3.0, 1.0), (-3.0, 0.5), (-2.0, 3.5)
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

# Linear regression with an intercept and a slope, as in the lecture's formulas (000:102-116).
LINE_VIEW = ((-2.5, 2.5), (-0.5, 4.5))
LINE_RATE = 0.1


# Functions, because JAX remembers a NumPy array of which it once made a float32 constant: an array
# that lives as long as the module would come out as float32 under `enable_x64` too.


def valley() -> surfaces.Surface:
    """The lecture's contour: steep across, flat along, condition number 20."""
    return surfaces.quadratic((1.0, 20.0))._replace(
        start=np.array(VALLEY_START), view=((-3.5, 3.5), (-1.75, 1.75))
    )


def rotated_valley() -> surfaces.Surface:
    """The same valley, turned by 30 degrees."""
    return surfaces.quadratic((1.0, 20.0), angle=math.pi / 6)._replace(
        start=np.array(ROTATED_START), view=((-3.5, 3.5), (-2.5, 2.5))
    )


def line_start() -> np.ndarray:
    """Intercept and slope from which the paths over the linear regression start."""
    return np.array(LINE_START)


def line_fit() -> tuple[np.ndarray, np.ndarray]:
    """Gives 64 inputs with a column of ones, and targets scattered about 1 + 2 x."""
    rng = np.random.default_rng(0)
    inputs = np.stack([np.ones(64), rng.uniform(-1.0, 2.0, 64)], axis=1)
    return inputs, inputs @ np.array([1.0, 2.0]) + rng.normal(0.0, 0.5, 64)


def rule(
    name: str, rate: float | None = None, *, decay: float = DECAY
) -> optax.GradientTransformationExtraArgs:
    """The optimizer drawn under `name`, at the shared rate and momentum unless given others."""
    makers = {
        "gradient descent": optimizers.gradient_descent,
        "momentum": lambda rate: optimizers.momentum(rate, decay=decay),
        "nesterov": lambda rate: optimizers.nesterov(rate, decay=decay),
        "adagrad": optimizers.adagrad,
        "adadelta": optimizers.adadelta,
        "rmsprop": optimizers.rmsprop,
        "adam": optimizers.adam,
    }
    return makers[name](RATES[name] if rate is None else rate)


def weights(name: str, points: np.ndarray, *, decay: float = DECAY) -> np.ndarray:
    """Where the weights are along a path of `rule(name)`, `[..., step, 2]`, from its first step on.

    Nesterov's rule moves the look-ahead point, `points = weights + decay * velocity`.
    """
    found = np.array(points, float)
    if name == "nesterov":
        for step in range(1, found.shape[-2]):
            before = found[..., step - 1, :]
            found[..., step, :] = (found[..., step, :] + decay * before) / (1 + decay)
    return found
