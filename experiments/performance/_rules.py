"""Each update rule beside optax's of the same convention and PyTorch's fastest."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxtricks import optimizers

RATE, DECAY, EPS, SHRINK = 1e-3, 0.9, 1e-7, 1e-2


def _blend(first: Array, *others: Array) -> Array:
    """Bounded, and not one single instruction: XLA on CPU writes slower loops for those."""
    return sum(others, 0.5 * first)


def _floor0(p: Array, g: Array) -> tuple[Array, ...]:
    return (_blend(p, g),)


def _floor1(p: Array, g: Array, v: Array) -> tuple[Array, ...]:
    v = _blend(v, g)
    return _blend(p, v), v


def _floor1_with_gradient(p: Array, g: Array, r: Array) -> tuple[Array, ...]:
    r = _blend(r, g)
    return _blend(p, g, r), r


def _floor2_side_by_side(p: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    m, v = _blend(m, g), _blend(v, g)
    return _blend(p, m, v), m, v


def _floor2_in_line(p: Array, g: Array, r: Array, v: Array) -> tuple[Array, ...]:
    r = _blend(r, g)
    v = _blend(v, g, r)
    return _blend(p, v), r, v


def _floor2_in_line_with_gradient(p: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    m = _blend(m, g)
    v = _blend(v, g, m)
    return _blend(p, g, v), m, v


def _floor2_crossed(p: Array, g: Array, s: Array, d: Array) -> tuple[Array, ...]:
    s = _blend(s, g)
    step = jnp.sqrt(jnp.abs(s + d))  # with a cheaper step XLA would copy d, which both blends need
    return _blend(p, g, step), s, _blend(d, g, step)


class Rule(NamedTuple):
    """One rule in four forms.

    Attributes:
        ours: makes the transformation.
        optax: makes optax's, which computes the same numbers.
        torch: `(torch.optim, parameters) -> optimizer`; AdaGrad's has its eps outside the root.
        floor: `p, g, *moments -> p, *moments`, the same reads and writes and hardly a thought.
        moments: arrays kept for each array of parameters.
    """

    ours: Callable[[], optax.GradientTransformation]
    optax: Callable[[], optax.GradientTransformation]
    torch: Callable[[Any, list], Any]
    floor: Callable[..., tuple[Array, ...]]
    moments: int

    @property
    def arrays_moved(self) -> int:
        """Reads of parameters, gradients and moments, writes of parameters and moments."""
        return 3 + 2 * self.moments


RULES = {
    "gradient descent": Rule(
        lambda: optimizers.gradient_descent(RATE),
        lambda: optax.sgd(RATE),
        lambda torch, params: torch.SGD(params, RATE, fused=True),
        _floor0,
        moments=0,
    ),
    "momentum": Rule(
        lambda: optimizers.momentum(RATE, decay=DECAY),
        lambda: optax.sgd(RATE, DECAY),
        lambda torch, params: torch.SGD(params, RATE, DECAY, fused=True),
        _floor1,
        moments=1,
    ),
    "nesterov": Rule(
        lambda: optimizers.nesterov(RATE, decay=DECAY, lr_inside=False),
        lambda: optax.sgd(RATE, DECAY, nesterov=True),
        lambda torch, params: torch.SGD(params, RATE, DECAY, nesterov=True, fused=True),
        _floor1_with_gradient,
        moments=1,
    ),
    "adagrad": Rule(
        lambda: optimizers.adagrad(RATE, eps=EPS, eps_inside=True),
        lambda: optax.adagrad(RATE, initial_accumulator_value=0.0, eps=EPS),
        lambda torch, params: torch.Adagrad(params, RATE, eps=EPS, fused=True),
        _floor1_with_gradient,
        moments=1,
    ),
    "rmsprop": Rule(
        lambda: optimizers.rmsprop(RATE, decay=DECAY, eps=EPS),
        lambda: optax.rmsprop(RATE, DECAY, EPS, eps_in_sqrt=False),
        lambda torch, params: torch.RMSprop(params, RATE, DECAY, EPS, foreach=True),
        _floor1_with_gradient,
        moments=1,
    ),
    "rmsprop, centered": Rule(
        lambda: optimizers.rmsprop(RATE, decay=DECAY, eps=EPS, centered=True),
        lambda: optax.rmsprop(RATE, DECAY, EPS, eps_in_sqrt=False, centered=True),
        lambda torch, params: torch.RMSprop(params, RATE, DECAY, EPS, centered=True, foreach=True),
        _floor2_in_line_with_gradient,
        moments=2,
    ),
    "rmsprop, momentum": Rule(
        lambda: optimizers.rmsprop(RATE, decay=DECAY, eps=EPS, momentum=DECAY, lr_inside=True),
        lambda: optax.rmsprop(RATE, DECAY, EPS, eps_in_sqrt=False, momentum=DECAY),
        lambda torch, params: torch.RMSprop(params, RATE, DECAY, EPS, momentum=DECAY, foreach=True),
        _floor2_in_line,
        moments=2,
    ),
    "adadelta": Rule(
        lambda: optimizers.adadelta(1.0, decay=DECAY, eps=EPS),
        lambda: optax.adadelta(1.0, DECAY, eps=EPS),
        lambda torch, params: torch.Adadelta(params, 1.0, DECAY, EPS, foreach=True),
        _floor2_crossed,
        moments=2,
    ),
    "adam": Rule(
        lambda: optimizers.adam(RATE, eps=EPS),
        lambda: optax.adam(RATE, eps=EPS),
        lambda torch, params: torch.Adam(params, RATE, eps=EPS, fused=True),
        _floor2_side_by_side,
        moments=2,
    ),
    "adam, decoupled decay": Rule(
        lambda: optax.chain(
            optimizers.scale_by_adam(eps=EPS),
            optimizers.add_decoupled_decay(SHRINK),
            optimizers.gradient_descent(RATE),
        ),
        lambda: optax.adamw(RATE, eps=EPS, weight_decay=SHRINK),
        lambda torch, params: torch.AdamW(params, RATE, eps=EPS, weight_decay=SHRINK, fused=True),
        _floor2_side_by_side,
        moments=2,
    ),
}
