"""What the golden tables cover: arguments in the frameworks' own names, which are the presets' too.

Data only. `generate.py` feeds these rows to PyTorch and Keras, the tests feed them to the presets.
"""

from typing import NamedTuple

NAN = float("nan")


class Case(NamedTuple):
    """A preset and its arguments."""

    preset: str
    arguments: dict


TORCH_RULES = [
    Case("sgd", {"lr": 0.05}),
    Case("sgd", {"lr": 0.01, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    Case("sgd", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
    Case("sgd", {"lr": 0.01, "dampening": 0.5, "weight_decay": 0.1, "maximize": True}),
    Case("adagrad", {"lr": 0.01}),
    Case(
        "adagrad",
        {
            "lr": 0.1,
            "lr_decay": 0.01,
            "weight_decay": 0.01,
            "initial_accumulator_value": 0.1,
            "eps": 1e-3,
        },
    ),
    Case("rmsprop", {"lr": 0.01}),
    Case("rmsprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.01}),
    Case("rmsprop", {"lr": 0.01, "centered": True}),
    Case("rmsprop", {"lr": 0.01, "alpha": 0.95, "centered": True, "momentum": 0.5, "eps": 1e-4}),
    Case("adadelta", {"lr": 1.0}),
    Case("adadelta", {"lr": 0.5, "rho": 0.95, "eps": 1e-4, "weight_decay": 0.01}),
    Case("adam", {"lr": 1e-3}),
    Case("adam", {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.01}),
    Case("adamw", {"lr": 1e-3}),
    Case("adamw", {"lr": 0.01, "betas": (0.95, 0.98), "weight_decay": 0.1, "maximize": True}),
    Case("adam", {"lr": 0.01, "amsgrad": True}),
    Case("adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    Case("adamw", {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1, "amsgrad": True}),
]

KERAS_RULES = [
    Case("sgd", {"learning_rate": 0.05, "weight_decay": 0.1}),
    Case("sgd", {"learning_rate": 0.01, "momentum": 0.9}),
    Case("sgd", {"learning_rate": 0.01, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    Case("adagrad", {"learning_rate": 0.01}),
    Case("adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "epsilon": 1e-3}),
    Case("rmsprop", {"learning_rate": 1e-3}),
    Case("rmsprop", {"learning_rate": 0.01, "rho": 0.95, "momentum": 0.9, "weight_decay": 0.01}),
    Case("rmsprop", {"learning_rate": 0.01, "centered": True}),
    Case("rmsprop", {"learning_rate": 0.01, "centered": True, "momentum": 0.5, "epsilon": 1e-4}),
    Case("adadelta", {"learning_rate": 1e-3}),
    Case("adadelta", {"learning_rate": 0.5, "rho": 0.9, "epsilon": 1e-4, "weight_decay": 0.01}),
    Case("adam", {"learning_rate": 1e-3}),
    Case(
        "adam",
        {
            "learning_rate": 0.01,
            "beta_1": 0.8,
            "beta_2": 0.99,
            "epsilon": 1e-3,
            "weight_decay": 0.01,
        },
    ),
    Case("adamw", {"learning_rate": 1e-3}),
    Case("adam", {"learning_rate": 0.01, "amsgrad": True, "clipnorm": 10.0}),
    Case("adamw", {"learning_rate": 0.01, "amsgrad": True, "clipvalue": 0.5}),
    Case("sgd", {"learning_rate": 0.01, "momentum": 0.9, "global_clipnorm": 20.0}),
]

TORCH_SCHEDULES = [
    Case("step_lr", {"initial_rate": 0.05, "step_size": 30}),
    Case("step_lr", {"initial_rate": 0.05, "step_size": 7, "gamma": 0.5}),
    Case("multistep_lr", {"initial_rate": 0.1, "milestones": [30, 45]}),
    Case("multistep_lr", {"initial_rate": 0.1, "milestones": [20, 5, 20, 40], "gamma": 0.5}),
    Case("multistep_lr", {"initial_rate": 0.1, "milestones": [0, 3, 3], "gamma": 2.0}),
    Case("multistep_lr", {"initial_rate": 0.1, "milestones": []}),
    Case("exponential_lr", {"initial_rate": 0.1, "gamma": 0.9}),
    Case("exponential_lr", {"initial_rate": 0.1, "gamma": 1.1}),
    Case("step_lr", {"initial_rate": 0.1, "step_size": 20, "gamma": 3.0}),
    Case("cosine_annealing_lr", {"initial_rate": 0.1, "T_max": 60}),
    Case("cosine_annealing_lr", {"initial_rate": 0.1, "T_max": 13, "eta_min": 0.01}),
    Case("cosine_annealing_lr", {"initial_rate": 0.1, "T_max": 1}),
    Case("cosine_annealing_warm_restarts", {"initial_rate": 0.1, "T_0": 9}),
    Case(
        "cosine_annealing_warm_restarts",
        {"initial_rate": 0.1, "T_0": 4, "T_mult": 2, "eta_min": 0.01},
    ),
    Case("cosine_annealing_warm_restarts", {"initial_rate": 0.1, "T_0": 1, "T_mult": 3}),
    Case("constant_lr", {"initial_rate": 0.1}),
    Case("constant_lr", {"initial_rate": 0.1, "factor": 0.7, "total_iters": 20}),
    Case("constant_lr", {"initial_rate": 0.1, "factor": 0.7, "total_iters": 0}),
    Case("linear_lr", {"initial_rate": 0.1}),
    Case(
        "linear_lr",
        {"initial_rate": 0.1, "start_factor": 1.0, "end_factor": 0.0, "total_iters": 40},
    ),
    Case("linear_lr", {"initial_rate": 0.1, "total_iters": 0}),
    Case("polynomial_lr", {"initial_rate": 0.1}),
    Case("polynomial_lr", {"initial_rate": 0.1, "total_iters": 40, "power": 2.5}),
    Case("polynomial_lr", {"initial_rate": 0.1, "total_iters": 0, "power": 2.0}),
    Case("lambda_lr", {"initial_rate": 0.1, "lr_lambda": lambda epoch: 0.95**epoch}),
    Case(
        "multiplicative_lr",
        {"initial_rate": 0.1, "lr_lambda": lambda epoch: 0.9 + 0.2 / epoch, "total_iters": 60},
    ),
    Case(
        "sequential_lr",
        {
            "schedulers": [
                Case("linear_lr", {"initial_rate": 0.1}),
                Case("cosine_annealing_lr", {"initial_rate": 0.1, "T_max": 20, "eta_min": 0.01}),
                Case("exponential_lr", {"initial_rate": 0.1, "gamma": 0.9}),
            ],
            "milestones": [5, 25],
        },
    ),
    Case(
        "sequential_lr",
        {
            "schedulers": [
                Case("constant_lr", {"initial_rate": 0.1}),
                Case("step_lr", {"initial_rate": 0.1, "step_size": 7}),
            ],
            "milestones": [0],
        },
    ),
    Case(
        "sequential_lr",
        {"schedulers": [Case("constant_lr", {"initial_rate": 0.1})], "milestones": []},
    ),
    Case(
        "chained_scheduler",
        {
            "initial_rate": 0.1,
            "schedulers": [
                Case("constant_lr", {"initial_rate": 1.0, "total_iters": 9}),
                Case("exponential_lr", {"initial_rate": 1.0, "gamma": 0.95}),
                Case("multistep_lr", {"initial_rate": 1.0, "milestones": [20, 5]}),
            ],
        },
    ),
    Case("cyclic_lr", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 7}),
    Case(
        "cyclic_lr",
        {
            "base_lr": 0.0,
            "max_lr": 0.1,
            "step_size_up": 5,
            "step_size_down": 9,
            "mode": "triangular2",
        },
    ),
    Case(
        "cyclic_lr",
        {"base_lr": 0.02, "max_lr": 0.1, "step_size_up": 6, "mode": "exp_range", "gamma": 0.97},
    ),
    Case(
        "cyclic_lr",
        {
            "base_lr": 0.02,
            "max_lr": 0.1,
            "step_size_up": 6,
            "scale_fn": lambda update: 1 / (1 + update),
            "scale_mode": "iterations",
        },
    ),
    Case("one_cycle_lr", {"max_lr": 0.1, "total_steps": 60}),
    Case("one_cycle_lr", {"max_lr": 0.1, "epochs": 6, "steps_per_epoch": 10, "pct_start": 0.0}),
    Case(
        "one_cycle_lr",
        {
            "max_lr": 0.1,
            "total_steps": 61,
            "pct_start": 0.37,
            "anneal_strategy": "linear",
            "div_factor": 3.0,
            "final_div_factor": 70.0,
            "three_phase": True,
        },
    ),
    Case("one_cycle_lr", {"max_lr": 0.1, "total_steps": 70, "pct_start": 0.7, "three_phase": True}),
]

KERAS_SCHEDULES = [
    Case("exponential_decay", {"initial_learning_rate": 0.1, "decay_steps": 20, "decay_rate": 0.3}),
    Case(
        "exponential_decay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.96, "staircase": True},
    ),
    Case("piecewise_constant_decay", {"boundaries": [0, 10, 45], "values": [0.1, 0.3, 0.2, 0.01]}),
    Case("polynomial_decay", {"initial_learning_rate": 0.1, "decay_steps": 40}),
    Case(
        "polynomial_decay",
        {"initial_learning_rate": 0.1, "decay_steps": 13, "end_learning_rate": 0.0, "power": 2.5},
    ),
    Case(
        "polynomial_decay",
        {"initial_learning_rate": 0.1, "decay_steps": 11, "power": 0.5, "cycle": True},
    ),
    Case(
        "inverse_time_decay", {"initial_learning_rate": 0.1, "decay_steps": 20, "decay_rate": 0.5}
    ),
    Case(
        "inverse_time_decay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 3.0, "staircase": True},
    ),
    Case("cosine_decay", {"initial_learning_rate": 0.1, "decay_steps": 40}),
    Case(
        "cosine_decay",
        {"initial_learning_rate": 0.1, "decay_steps": 40, "alpha": 0.2, "warmup_steps": 7},
    ),
    Case(
        "cosine_decay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 30,
            "alpha": 0.1,
            "warmup_target": 0.7,
            "warmup_steps": 9,
        },
    ),
    Case("cosine_decay", {"initial_learning_rate": 0.1, "decay_steps": 30, "warmup_target": 0.05}),
    Case("cosine_decay_restarts", {"initial_learning_rate": 0.1, "first_decay_steps": 9}),
    Case(
        "cosine_decay_restarts",
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 8,
            "t_mul": 1.0,
            "m_mul": 0.8,
            "alpha": 0.1,
        },
    ),
    Case(
        "cosine_decay_restarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 7, "t_mul": 1.3, "m_mul": 1.2},
    ),
]

FALLING = [1.0, 0.9, 0.8, 0.8, 0.79999, 0.7, 0.7, 0.71, 0.7, 0.72, 0.7, 0.7, 0.69, 0.7, 0.7]
NAN_FIRST = [NAN, NAN, 1.0, 1.0, NAN, NAN, 0.5, NAN, 0.5, 0.5, 0.5]
NEGATIVE = [-1.0, -1.00005, -1.05, -1.05, -1.2, -1.2, -1.2, -1.1, -1.3, -1.3, -1.3]
ZERO_CROSSING = [0.5, 0.2, 0.0, -0.1, -0.1, -0.5, -0.5, -0.5, -0.5]
FLAT = [1.0] * 40

PLATEAUS = [
    (Case("reduce_lr_on_plateau", {"initial_rate": 0.1}), FLAT),
    (Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 0}), FALLING),
    (Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 1, "factor": 0.5}), NAN_FIRST),
    (Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 1}), NEGATIVE),
    (
        Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 1, "threshold": 0.1}),
        ZERO_CROSSING,
    ),
    (
        Case(
            "reduce_lr_on_plateau",
            {"initial_rate": 0.1, "patience": 0, "threshold": 0.04, "threshold_mode": "abs"},
        ),
        NEGATIVE,
    ),
    (
        Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "mode": "max", "patience": 1}),
        [-x for x in NEGATIVE] + FALLING,
    ),
    (
        Case(
            "reduce_lr_on_plateau",
            {
                "initial_rate": 0.1,
                "mode": "max",
                "patience": 0,
                "threshold": 0.04,
                "threshold_mode": "abs",
            },
        ),
        FALLING + NAN_FIRST,
    ),
    (
        Case(
            "reduce_lr_on_plateau",
            {"initial_rate": 0.1, "mode": "max", "patience": 0, "threshold": 0.1},
        ),
        NEGATIVE,
    ),
    (
        Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 2, "cooldown": 3}),
        FLAT + FALLING,
    ),
    (
        Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 1, "cooldown": 1}),
        FALLING + NAN_FIRST + FALLING,
    ),
    (
        Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 1, "min_lr": 3e-4}),
        FLAT,
    ),
    (
        Case("reduce_lr_on_plateau", {"initial_rate": 0.1, "patience": 1, "eps": 5e-4}),
        FLAT,
    ),
    (Case("reduce_lr_on_plateau", {"initial_rate": 1e-6, "patience": 0}), FLAT),
]
