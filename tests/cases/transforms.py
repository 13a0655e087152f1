"""Every gradient transformation under contract."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxtricks import control, optimizers


class Transform(NamedTuple):
    """A gradient transformation under contract.

    `make`: the factory. `hyper`: every float hyper-parameter with two values. `scheduled`: those
    that may be schedules. `static`: the other arguments, with the value used here. `extra`: what
    `update` needs besides. `descends`: alone, it solves a bowl in 300 steps with the first values.
    `up_to_one`: the decays that may be 1; the others are below.
    """

    make: Callable[..., optax.GradientTransformationExtraArgs]
    hyper: Mapping[str, tuple[float, float]]
    scheduled: tuple[str, ...] = ()
    static: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}
    descends: bool = False
    up_to_one: tuple[str, ...] = ()


def all_but_weights(params):
    """The mask that freezes biases."""
    return jax.tree.map(lambda weight: not weight, optimizers.weights_only(params))


TRANSFORMS: dict[str, Transform] = {
    "gradient_descent": Transform(
        optimizers.gradient_descent,
        hyper={"learning_rate": (0.1, 0.3)},
        scheduled=("learning_rate",),
        descends=True,
    ),
    "scale_by_momentum": Transform(
        optimizers.scale_by_momentum,
        hyper={"decay": (0.9, 0.5), "dampening": (0.1, 0.5), "initial_velocity": (0.0, 1.0)},
        scheduled=("decay",),
        static={"dampen_first": False, "nesterov": False, "mu_dtype": None},
        up_to_one=("decay", "dampening"),
    ),
    "momentum": Transform(
        optimizers.momentum,
        hyper={
            "learning_rate": (0.1, 0.3),
            "decay": (0.5, 0.8),
            "dampening": (0.0, 0.5),
            "initial_velocity": (0.0, 1.0),
        },
        scheduled=("learning_rate", "decay"),
        static={
            "lr_inside": True,
            "dampen_first": True,
            "nesterov": False,
            "mu_dtype": jnp.float32,
        },
        descends=True,
        up_to_one=("decay", "dampening"),
    ),
    "scale_by_adam": Transform(
        optimizers.scale_by_adam,
        hyper={"b1": (0.9, 0.5), "b2": (0.999, 0.9), "eps": (1e-7, 1e-3)},
        scheduled=("b1", "b2"),
        static={
            "eps_inside": True,
            "eps_hat": True,
            "bias_correction": True,
            "amsgrad": True,
            "mu_dtype": None,
        },
    ),
    "adam": Transform(
        optimizers.adam,
        hyper={
            "learning_rate": (0.1, 0.3),
            "b1": (0.8, 0.5),
            "b2": (0.9, 0.99),
            "eps": (1e-7, 1e-3),
        },
        scheduled=("learning_rate", "b1", "b2"),
        static={
            "eps_inside": False,
            "eps_hat": False,
            "bias_correction": True,
            "amsgrad": False,
            "mu_dtype": jnp.float32,
        },
        descends=True,
    ),
    "adamw": Transform(
        optimizers.adamw,
        hyper={
            "learning_rate": (0.1, 0.3),
            "weight_decay": (1e-3, 0.1),
            "b1": (0.8, 0.5),
            "b2": (0.9, 0.99),
            "eps": (1e-7, 1e-3),
        },
        scheduled=("learning_rate", "weight_decay", "b1", "b2"),
        static={
            "mask": None,
            "eps_inside": False,
            "eps_hat": False,
            "bias_correction": True,
            "amsgrad": True,
            "mu_dtype": None,
        },
        descends=True,
    ),
    "nesterov": Transform(
        optimizers.nesterov,
        hyper={"learning_rate": (0.1, 0.3), "decay": (0.5, 0.8)},
        scheduled=("learning_rate", "decay"),
        static={"lr_inside": True},
        descends=True,
        up_to_one=("decay",),
    ),
    "add_l1": Transform(
        optimizers.add_l1,
        hyper={"strength": (0.1, 0.3)},
        scheduled=("strength",),
        static={"mask": optimizers.weights_only},
    ),
    "add_l2": Transform(
        optimizers.add_l2,
        hyper={"strength": (0.1, 0.3)},
        scheduled=("strength",),
        static={"half": False, "mask": None},
    ),
    "add_elastic_net": Transform(
        optimizers.add_elastic_net,
        hyper={"strength": (0.1, 0.3), "ratio": (0.5, 2.0)},
        scheduled=("strength",),
        static={"mask": optimizers.weights_only},
    ),
    "add_decoupled_decay": Transform(
        optimizers.add_decoupled_decay,
        hyper={"strength": (0.1, 0.3)},
        scheduled=("strength",),
        static={"mask": None},
    ),
    "proximal_l1": Transform(
        optimizers.proximal_l1,
        hyper={"learning_rate": (0.1, 0.3), "strength": (0.5, 2.0)},
        scheduled=("learning_rate",),
        static={"mask": None},
    ),
    "max_norm": Transform(
        optimizers.max_norm,
        hyper={"limit": (0.5, 0.1)},
        static={"axis": -1, "mask": None},
    ),
    "accumulate": Transform(
        optimizers.accumulate,
        hyper={},
        static={"tx": optimizers.adam(0.1), "every": 2, "weighting": "example"},
        extra={"weight": 3},
        descends=True,
    ),
    "freeze": Transform(
        optimizers.freeze,
        hyper={},
        static={"tx": optimizers.adam(0.1), "mask": all_but_weights},
    ),
    "freeze_dropped": Transform(optimizers.freeze_dropped, hyper={}, extra={"keep": True}),
    "full_precision": Transform(
        optimizers.full_precision,
        hyper={},
        static={"tx": optimizers.adam(0.1)},
        descends=True,
    ),
    "scale_by_depth": Transform(
        optimizers.scale_by_depth,
        hyper={"factor": (0.5, 2.0)},
        static={"depth": optimizers.layer_depth},
    ),
    "scale_by_adagrad": Transform(
        optimizers.scale_by_adagrad,
        hyper={"eps": (1e-7, 1e-3), "initial_accumulator": (0.0, 0.1)},
        static={"eps_inside": True},
    ),
    "adagrad": Transform(
        optimizers.adagrad,
        hyper={
            "learning_rate": (0.5, 0.3),
            "eps": (1e-7, 1e-3),
            "initial_accumulator": (0.0, 0.1),
        },
        scheduled=("learning_rate",),
        static={"eps_inside": False},
        descends=True,
    ),
    "scale_by_rmsprop": Transform(
        optimizers.scale_by_rmsprop,
        hyper={"decay": (0.9, 0.5), "eps": (1e-7, 1e-3), "initial_accumulator": (0.0, 0.1)},
        scheduled=("decay",),
        static={
            "eps_inside": True,
            "bias_correction": False,
            "centered": True,
            "keep_gradient": False,
        },
        up_to_one=("decay",),
    ),
    "rmsprop": Transform(
        optimizers.rmsprop,
        hyper={
            "learning_rate": (0.01, 0.03),
            "decay": (0.9, 0.5),
            "momentum": (0.5, 0.0),
            "eps": (1e-7, 1e-3),
            "initial_accumulator": (0.0, 0.1),
        },
        scheduled=("learning_rate", "decay", "momentum"),
        static={
            "lr_inside": False,
            "eps_inside": False,
            "bias_correction": True,
            "centered": False,
            "keep_gradient": False,
        },
        descends=True,
        up_to_one=("momentum",),
    ),
    "scale_by_adadelta": Transform(
        optimizers.scale_by_adadelta,
        hyper={"decay": (0.95, 0.5), "eps": (1e-6, 1e-3)},
        scheduled=("decay",),
        up_to_one=("decay",),
    ),
    "adadelta": Transform(
        optimizers.adadelta,
        hyper={"learning_rate": (1.0, 0.3), "decay": (0.9, 0.5), "eps": (1e-3, 1e-6)},
        scheduled=("learning_rate", "decay"),
        descends=True,
        up_to_one=("decay",),
    ),
    "adam_to_sgd": Transform(  # its SGD schedules count from the switch: see test_adam_to_sgd.py
        optimizers.adam_to_sgd,
        hyper={
            "learning_rate": (0.1, 0.3),
            "sgd_learning_rate": (0.1, 0.3),
            "momentum": (0.5, 0.9),
            "b1": (0.9, 0.5),
            "b2": (0.999, 0.9),
            "eps": (1e-7, 1e-3),
        },
        scheduled=("learning_rate", "b1", "b2"),
        static={
            "when": 3,
            "velocity": "carry",
            "eps_inside": False,
            "eps_hat": False,
            "bias_correction": True,
        },
        descends=True,
        up_to_one=("momentum",),
    ),
    "swats": Transform(
        optimizers.swats,
        hyper={
            "learning_rate": (0.1, 0.3),
            "b1": (0.9, 0.5),
            "b2": (0.999, 0.9),
            "eps": (1e-9, 1e-3),
            "tolerance": (1e-9, 1.0),
        },
        scheduled=("learning_rate",),
        descends=True,
    ),
    "scale_by_plateau": Transform(
        optimizers.scale_by_plateau,
        hyper={},
        static={"rule": control.plateau(0.1, patience=2)},
        extra={"value": 1.0},
    ),
}
