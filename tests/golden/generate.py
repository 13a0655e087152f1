"""Makes the golden tables: `python -m tests.golden.generate torch` (or `keras`) `[--out FOLDER]`.

For each rule of `tables.py`: 200 steps in float64 on fixed gradients, the rate cut to a tenth at
step 100. The table keeps the parameter differences, and for rules with weight decay the parameters
before each step, rounded to float32 (6e-8 of each), because the parity bound is 1e-6. Gradients and
first parameters are float32 numbers, so that both sides see the same ones. The scales go from 1e-4
to 30; one coordinate is always zero, one mostly, one at first, one always the same, one nearly.
Keras runs on the PyTorch backend.
"""

import argparse
import inspect
import json
import os
from pathlib import Path

import numpy as np

from tests.golden.tables import KERAS_RULES, KERAS_SCHEDULES, PLATEAUS, TORCH_RULES, TORCH_SCHEDULES

STEPS, CUT, EPOCHS = 200, 100, 60
TORCH_CLASSES = {
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamw": "AdamW",
    "step_lr": "StepLR",
    "multistep_lr": "MultiStepLR",
    "exponential_lr": "ExponentialLR",
    "cosine_annealing_lr": "CosineAnnealingLR",
    "cosine_annealing_warm_restarts": "CosineAnnealingWarmRestarts",
    "constant_lr": "ConstantLR",
    "linear_lr": "LinearLR",
    "polynomial_lr": "PolynomialLR",
    "lambda_lr": "LambdaLR",
    "multiplicative_lr": "MultiplicativeLR",
    "sequential_lr": "SequentialLR",
    "chained_scheduler": "ChainedScheduler",
    "cyclic_lr": "CyclicLR",
    "one_cycle_lr": "OneCycleLR",
    "reduce_lr_on_plateau": "ReduceLROnPlateau",
}
KERAS_CLASSES = {
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamw": "AdamW",
}
KERAS_SCHEDULE_CLASSES = {
    "exponential_decay": "ExponentialDecay",
    "piecewise_constant_decay": "PiecewiseConstantDecay",
    "polynomial_decay": "PolynomialDecay",
    "inverse_time_decay": "InverseTimeDecay",
    "cosine_decay": "CosineDecay",
    "cosine_decay_restarts": "CosineDecayRestarts",
}


def problem():
    """Gradients (step, coordinate) and first parameters, float32."""
    import jax

    key, other, signs = jax.random.split(jax.random.key(0), 3)
    scale = np.logspace(-4, np.log10(30), 11)
    noise = np.asarray(jax.random.normal(key, (STEPS, 11)), np.float64)
    noise[:, 3] += 2.0
    noise[:, 5] *= np.arange(STEPS) % 7 == 0
    noise[:50, 6] = 0
    noise[:, 7] = 0
    noise[:, 8] = 1.0
    noise[:, 9] = 1 + 1e-3 * noise[:, 9]
    params = np.asarray(jax.random.uniform(other, (11,), minval=0.2, maxval=2.0), np.float64)
    params *= np.where(jax.random.bernoulli(signs, 0.5, (11,)), 1, -1)
    return np.float32(noise * scale), np.float32(params)


def rate_at(rate, step):
    """The rate at a step: a tenth from step `CUT` on."""
    return rate if step < CUT else rate / 10


def torch_updates(case, gradients, params):
    """Parameters before each step of a `torch.optim` rule, and their differences, in float64."""
    import torch  # pyrefly: ignore[missing-import]

    point = torch.tensor(params, dtype=torch.float64, requires_grad=True)
    rule = getattr(torch.optim, TORCH_CLASSES[case.preset])([point], **case.arguments)
    points, updates = [], []
    for step, gradient in enumerate(gradients):
        before = point.detach().clone()
        rule.param_groups[0]["lr"] = rate_at(case.arguments["lr"], step)
        point.grad = torch.tensor(gradient, dtype=torch.float64)
        rule.step()
        points.append(before.numpy())
        updates.append((point.detach() - before).numpy())
    return np.stack(points), np.stack(updates)


def keras_updates(case, gradients, params):
    """Parameters before each step of a `keras.optimizers` rule, and their differences."""
    import keras  # pyrefly: ignore[missing-import]

    point = keras.Variable(params, dtype="float64")
    rule = getattr(keras.optimizers, KERAS_CLASSES[case.preset])(**case.arguments)
    points, updates = [], []
    for step, gradient in enumerate(gradients):
        before = keras.ops.convert_to_numpy(point).copy()
        rule.learning_rate = rate_at(case.arguments["learning_rate"], step)
        rule.apply([keras.ops.convert_to_tensor(gradient, "float64")], [point])
        points.append(before)
        updates.append(keras.ops.convert_to_numpy(point) - before)
    return np.stack(points), np.stack(updates)


def keras_rates(case, updates=EPOCHS):
    """The rate of each update under a schedule of `keras.optimizers.schedules`, in float64."""
    import keras  # pyrefly: ignore[missing-import]

    by_class = getattr(keras.optimizers.schedules, KERAS_SCHEDULE_CLASSES[case.preset])
    schedule, before = by_class(**case.arguments), keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        return [float(schedule(step)) for step in range(updates)]
    finally:
        keras.config.set_floatx(before)


def torch_scheduler(case, rule):
    """A scheduler of `torch.optim`; the schedulers in its arguments are cases too."""
    import torch  # pyrefly: ignore[missing-import]

    arguments = {name: value for name, value in case.arguments.items() if name != "initial_rate"}
    if "schedulers" in arguments:
        arguments["schedulers"] = [torch_scheduler(part, rule) for part in arguments["schedulers"]]
    if case.preset == "multiplicative_lr":
        arguments.pop("total_iters")  # PyTorch multiplies for ever
    if case.preset in ("cyclic_lr", "one_cycle_lr"):
        arguments["cycle_momentum"] = False
    by_class = getattr(torch.optim.lr_scheduler, TORCH_CLASSES[case.preset])
    first = () if case.preset == "chained_scheduler" else (rule,)
    return by_class(*first, **arguments)


def torch_rates(case, epochs=EPOCHS):
    """The rate of each epoch under a scheduler that steps once per epoch."""
    import torch  # pyrefly: ignore[missing-import]

    rule = torch.optim.SGD([torch.zeros(1)], lr=case.arguments.get("initial_rate", 0.1))
    scheduler = torch_scheduler(case, rule)
    rates = []
    for epoch in range(epochs):
        rates.append(rule.param_groups[0]["lr"])
        if epoch + 1 < epochs:  # past its last update OneCycleLR raises an error
            rule.step()
            scheduler.step()
    return rates


def torch_plateau(case, metrics):
    """The rate after each metric."""
    import torch  # pyrefly: ignore[missing-import]

    arguments = dict(case.arguments)
    rule = torch.optim.SGD([torch.zeros(1)], lr=arguments.pop("initial_rate"))
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(rule, **arguments)
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(rule.param_groups[0]["lr"])
    return rates


def signatures(classes, rooms):
    """The arguments of each class, with `[default]`, or `[]` where there is none."""
    table = {}
    for preset, name in classes.items():
        found = next(getattr(room, name) for room in rooms if hasattr(room, name))
        parameters = inspect.signature(found).parameters.values()
        table[preset] = {
            p.name: [] if p.default is inspect.Parameter.empty else [p.default] for p in parameters
        }
    return table


def arrays(cases, runs, gradients, params):
    """The table: `points_N` only where case N has weight decay."""
    table = {"gradients": gradients, "params": params}
    for number, (case, (points, updates)) in enumerate(zip(cases, runs, strict=True)):
        table[f"updates_{number}"] = np.float32(updates)
        if "weight_decay" in case.arguments or case.preset == "adamw":
            table[f"points_{number}"] = np.float32(points)
    return table


def write(folder, name, facts, table):
    text = json.dumps(facts)
    (folder / f"{name}.json").write_text(text + "\n")
    np.savez_compressed(folder / f"{name}.npz", **table)


def make_torch(folder):
    import torch  # pyrefly: ignore[missing-import]

    torch.set_default_dtype(torch.float64)
    gradients, params = problem()
    runs = [torch_updates(case, gradients, params) for case in TORCH_RULES]
    facts = {
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "signatures": signatures(TORCH_CLASSES, (torch.optim, torch.optim.lr_scheduler)),
        "schedules": [torch_rates(case) for case in TORCH_SCHEDULES],
        "plateaus": [torch_plateau(*row) for row in PLATEAUS],
    }
    write(folder, "torch", facts, arrays(TORCH_RULES, runs, gradients, params))


def make_keras(folder):
    os.environ["KERAS_BACKEND"] = "torch"
    import keras  # pyrefly: ignore[missing-import]
    import torch  # pyrefly: ignore[missing-import]

    keras.config.set_floatx("float64")
    gradients, params = problem()
    runs = [keras_updates(case, gradients, params) for case in KERAS_RULES]
    facts = {
        "versions": {"keras": keras.__version__, "torch": torch.__version__},
        "signatures": signatures(KERAS_CLASSES, (keras.optimizers,)),
        "schedule_signatures": signatures(KERAS_SCHEDULE_CLASSES, (keras.optimizers.schedules,)),
        "schedules": [keras_rates(case) for case in KERAS_SCHEDULES],
    }
    write(folder, "keras", facts, arrays(KERAS_RULES, runs, gradients, params))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", choices=("torch", "keras"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    {"torch": make_torch, "keras": make_keras}[arguments.framework](arguments.out)


if __name__ == "__main__":
    main()
