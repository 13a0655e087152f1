"""The presets under contract, named `framework.preset`: rows as in `tests.cases`."""

import jax.numpy as jnp

from jaxtricks import presets
from tests.cases.control import Control
from tests.cases.schedules import Schedule
from tests.cases.transforms import Transform

TORCH = {"lr": (0.1, 0.3), "weight_decay": (0.1, 0.0)}
BETAS = {"betas": (0.8, 0.9), "amsgrad": True, "maximize": True}
KERAS = {"learning_rate": (0.1, 0.3), "weight_decay": (0.1, 0.0), "ema_momentum": (0.9, 0.5)}
NO_CLIPPING = {"clipnorm": None, "clipvalue": None, "global_clipnorm": None}  # two are refused
EMA = {**NO_CLIPPING, "use_ema": True, "ema_overwrite_frequency": 2}
NO_EMA = {**NO_CLIPPING, "use_ema": False, "ema_overwrite_frequency": None}
ADAM = {"beta_1": (0.8, 0.5), "beta_2": (0.9, 0.99), "epsilon": (1e-7, 1e-3)}

TRANSFORMS: dict[str, Transform] = {
    "torch.sgd": Transform(
        presets.torch.sgd,
        hyper={**TORCH, "momentum": (0.5, 0.0), "dampening": (0.0, 0.5)},
        scheduled=("lr",),
        static={"nesterov": False, "maximize": False},
        up_to_one=("momentum", "dampening"),
    ),
    "torch.adagrad": Transform(
        presets.torch.adagrad,
        hyper={
            **TORCH,
            "lr_decay": (0.0, 0.5),
            "initial_accumulator_value": (0.0, 0.1),
            "eps": (1e-10, 1e-3),
        },
        scheduled=("lr",),
        static={"maximize": False},
    ),
    "torch.rmsprop": Transform(
        presets.torch.rmsprop,
        hyper={**TORCH, "alpha": (0.9, 0.5), "eps": (1e-8, 1e-3), "momentum": (0.0, 0.5)},
        scheduled=("lr",),
        static={"centered": True, "maximize": False},
        up_to_one=("alpha", "momentum"),
    ),
    "torch.adadelta": Transform(
        presets.torch.adadelta,
        hyper={**TORCH, "rho": (0.9, 0.5), "eps": (1e-6, 1e-3)},
        scheduled=("lr",),
        static={"maximize": False},
        up_to_one=("rho",),
    ),
    "torch.adam": Transform(
        presets.torch.adam,
        hyper={**TORCH, "eps": (1e-8, 1e-3)},
        scheduled=("lr",),
        static={**BETAS, "decoupled_weight_decay": False},
    ),
    "torch.adamw": Transform(
        presets.torch.adamw, hyper={**TORCH, "eps": (1e-8, 1e-3)}, scheduled=("lr",), static=BETAS
    ),
    "keras.sgd": Transform(
        presets.keras.sgd,
        hyper={**KERAS, "momentum": (0.5, 0.0)},
        scheduled=("learning_rate",),
        static={**NO_EMA, "nesterov": True},
        up_to_one=("momentum",),
    ),
    "keras.adagrad": Transform(
        presets.keras.adagrad,
        hyper={**KERAS, "initial_accumulator_value": (0.1, 0.0), "epsilon": (1e-7, 1e-3)},
        scheduled=("learning_rate",),
        static=NO_EMA,
    ),
    "keras.rmsprop": Transform(
        presets.keras.rmsprop,
        hyper={**KERAS, "rho": (0.9, 0.5), "momentum": (0.0, 0.5), "epsilon": (1e-7, 1e-3)},
        scheduled=("learning_rate",),
        static={**EMA, "centered": True},
        up_to_one=("rho", "momentum"),
    ),
    "keras.adadelta": Transform(
        presets.keras.adadelta,
        hyper={**KERAS, "rho": (0.95, 0.5), "epsilon": (1e-7, 1e-3)},
        scheduled=("learning_rate",),
        static=NO_EMA,
        up_to_one=("rho",),
    ),
    "keras.adam": Transform(
        presets.keras.adam,
        hyper={**KERAS, **ADAM},
        scheduled=("learning_rate",),
        static={**EMA, "amsgrad": True},
    ),
    "keras.adamw": Transform(
        presets.keras.adamw,
        hyper={**KERAS, **ADAM},
        scheduled=("learning_rate",),
        static={**NO_EMA, "amsgrad": False},
    ),
}

RATE = {"initial_rate": (0.1, 0.3)}
KERAS_RATE = {"initial_learning_rate": (0.1, 0.3)}

SCHEDULES: dict[str, Schedule] = {
    "torch.step_lr": Schedule(
        presets.torch.step_lr, hyper={**RATE, "gamma": (0.1, 0.5)}, static={"step_size": 3}
    ),
    "torch.multistep_lr": Schedule(
        presets.torch.multistep_lr,
        hyper={**RATE, "gamma": (0.1, 0.5)},
        static={"milestones": [4, 2, 9]},
    ),
    "torch.exponential_lr": Schedule(
        presets.torch.exponential_lr, hyper={**RATE, "gamma": (0.9, 0.5)}
    ),
    "torch.cosine_annealing_lr": Schedule(
        presets.torch.cosine_annealing_lr,
        hyper={**RATE, "eta_min": (0.0, 0.01)},
        static={"T_max": 7},
    ),
    "torch.cosine_annealing_warm_restarts": Schedule(
        presets.torch.cosine_annealing_warm_restarts,
        hyper={**RATE, "eta_min": (0.0, 0.01)},
        static={"T_0": 3, "T_mult": 2},
    ),
    "torch.constant_lr": Schedule(
        presets.torch.constant_lr,
        hyper={**RATE, "factor": (0.5, 1.0)},
        static={"total_iters": 8},
    ),
    "torch.linear_lr": Schedule(
        presets.torch.linear_lr,
        hyper={**RATE, "start_factor": (0.5, 1.0), "end_factor": (1.0, 0.0)},
        static={"total_iters": 8},
    ),
    "torch.polynomial_lr": Schedule(
        presets.torch.polynomial_lr,
        hyper={**RATE, "power": (1.0, 2.5)},
        static={"total_iters": 8},
    ),
    "torch.lambda_lr": Schedule(
        presets.torch.lambda_lr,
        hyper=RATE,
        static={"lr_lambda": lambda epoch: 1 / (1 + jnp.float32(epoch))},
    ),
    "torch.multiplicative_lr": Schedule(
        presets.torch.multiplicative_lr,
        hyper=RATE,
        static={"lr_lambda": lambda epoch: 0.9 + 0.1 / epoch, "total_iters": 8},
    ),
    "torch.sequential_lr": Schedule(
        presets.torch.sequential_lr,
        hyper={},
        static={
            "schedulers": (presets.torch.linear_lr(0.1), presets.torch.exponential_lr(0.1, 0.5)),
            "milestones": (9,),
        },
    ),
    "torch.chained_scheduler": Schedule(
        presets.torch.chained_scheduler,
        hyper=RATE,
        static={"schedulers": (presets.torch.linear_lr(1.0), presets.torch.step_lr(1.0, 4))},
    ),
    "torch.cyclic_lr": Schedule(
        presets.torch.cyclic_lr,
        hyper={"base_lr": (0.01, 0.0), "max_lr": (0.1, 0.3), "gamma": (0.9, 0.5)},
        static={
            "step_size_up": 3,
            "step_size_down": 4,
            "mode": "exp_range",
            "scale_fn": None,
            "scale_mode": "cycle",
        },
    ),
    "torch.one_cycle_lr": Schedule(
        presets.torch.one_cycle_lr,
        hyper={
            "max_lr": (0.1, 0.3),
            "pct_start": (0.3, 0.45),
            "div_factor": (25.0, 10.0),
            "final_div_factor": (1e4, 10.0),
        },
        static={
            "total_steps": 10,
            "epochs": None,
            "steps_per_epoch": None,
            "anneal_strategy": "cos",
            "three_phase": True,
        },
    ),
    "keras.exponential_decay": Schedule(
        presets.keras.exponential_decay,
        hyper={**KERAS_RATE, "decay_rate": (0.9, 0.5)},
        static={"decay_steps": 4, "staircase": False},
    ),
    "keras.piecewise_constant_decay": Schedule(
        presets.keras.piecewise_constant_decay,
        hyper={},
        static={"boundaries": (3, 8), "values": (0.1, 0.03, 0.2)},
    ),
    "keras.polynomial_decay": Schedule(
        presets.keras.polynomial_decay,
        hyper={**KERAS_RATE, "end_learning_rate": (1e-4, 1e-3), "power": (1.0, 2.5)},
        static={"decay_steps": 4, "cycle": True},
    ),
    "keras.inverse_time_decay": Schedule(
        presets.keras.inverse_time_decay,
        hyper={**KERAS_RATE, "decay_rate": (0.9, 0.5)},
        static={"decay_steps": 4, "staircase": True},
    ),
    "keras.cosine_decay": Schedule(
        presets.keras.cosine_decay,
        hyper={**KERAS_RATE, "alpha": (0.1, 0.0), "warmup_target": (0.3, 0.5)},
        static={"decay_steps": 9, "warmup_steps": 4},
    ),
    "keras.cosine_decay_restarts": Schedule(
        presets.keras.cosine_decay_restarts,
        hyper={**KERAS_RATE, "m_mul": (0.9, 0.5), "alpha": (0.1, 0.0)},
        static={"first_decay_steps": 3, "t_mul": 1.5},
    ),
}

CONTROLS: dict[str, Control] = {
    "torch.reduce_lr_on_plateau": Control(
        presets.torch.reduce_lr_on_plateau,
        hyper={
            **RATE,
            "factor": (0.1, 0.5),
            "threshold": (1e-4, 0.3),
            "min_lr": (0.0, 0.05),
            "eps": (1e-8, 0.095),
        },
        static={
            "mode": "min",
            "patience": 1,
            "threshold_mode": "rel",
            "cooldown": 1,
        },
    ),
}
