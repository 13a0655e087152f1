"""`presets.torch` against the PyTorch that is installed: 200 random settings for each preset.

Both sides see the same parameters before every step, PyTorch in float64, and the error is that of
`tests.presets.parity`. The settings are drawn from what PyTorch accepts, neutral values included.
"""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import presets
from tests.golden.generate import TORCH_CLASSES, torch_rates
from tests.golden.tables import Case
from tests.presets import parity

torch = pytest.importorskip("torch")

SETTINGS, STEPS, EPOCHS = 200, 4, 40


def one_of(*values):
    return lambda draw: draw.choice(values)


def between(low, high):
    return lambda draw: draw.uniform(low, high)


def power_of_ten(low, high):
    return lambda draw: 10 ** draw.uniform(low, high)


RATE = {"lr": power_of_ten(-4, 0), "weight_decay": one_of(0, 0.0, 1e-4, 0.1)}
DECAY = one_of(0.0, 0.5, 0.9, 0.99, 0.999)
MAXIMIZE = {"maximize": one_of(False, True)}
EPS = {"eps": one_of(1e-3, 1e-6, 1e-8, 1e-10)}
ADAM = {
    **RATE,
    **EPS,
    **MAXIMIZE,
    "betas": lambda draw: (DECAY(draw), DECAY(draw)),
    "amsgrad": one_of(False, True),
}
RULES = {
    "sgd": {
        **RATE,
        **MAXIMIZE,
        "momentum": one_of(0, 0.5, 0.9, 1.0),
        "dampening": one_of(0, 0.3, 1.0),
        "nesterov": one_of(False, True),
    },
    "adagrad": {
        **RATE,
        **EPS,
        **MAXIMIZE,
        "lr_decay": one_of(0, 0.1, 1.0),
        "initial_accumulator_value": one_of(0, 0.1, 1.0),
    },
    "rmsprop": {
        **RATE,
        **EPS,
        **MAXIMIZE,
        "alpha": one_of(0.0, 0.5, 0.9, 0.99, 1.0),
        "momentum": one_of(0, 0.5, 0.9, 1.0),
        "centered": one_of(False, True),
    },
    "adadelta": {**RATE, **EPS, **MAXIMIZE, "rho": one_of(0.0, 0.5, 0.9, 1.0)},
    "adam": {**ADAM, "decoupled_weight_decay": one_of(False, True)},
    "adamw": ADAM,
}
INITIAL = {"initial_rate": power_of_ten(-4, 1)}
SCHEDULES = {
    "step_lr": {"step_size": lambda draw: draw.randint(1, 12), "gamma": between(0.0, 1.5)},
    "multistep_lr": {
        "milestones": lambda draw: sorted(draw.sample(range(1, EPOCHS), draw.randint(1, 4))),
        "gamma": between(0.0, 1.5),
    },
    "exponential_lr": {"gamma": between(0.0, 1.1)},
    "cosine_annealing_lr": {
        "T_max": lambda draw: draw.randint(1, 2 * EPOCHS),
        "eta_min": one_of(0, 1e-5, 1e-3),
    },
    "cosine_annealing_warm_restarts": {
        "T_0": lambda draw: draw.randint(1, 12),
        "T_mult": lambda draw: draw.randint(1, 3),
        "eta_min": one_of(0, 1e-5, 1e-3),
    },
    "linear_lr": {
        "start_factor": between(0.01, 1.0),
        "end_factor": between(0.0, 1.0),
        "total_iters": lambda draw: draw.randint(1, EPOCHS),
    },
    "polynomial_lr": {
        "total_iters": lambda draw: draw.randint(1, EPOCHS),
        "power": one_of(0.5, 1.0, 2.0, 3.0),
    },
    "constant_lr": {
        "factor": between(0.01, 1.0),
        "total_iters": lambda draw: draw.randint(0, EPOCHS),
    },
}
OWN_RATES = {
    "cyclic_lr": {
        "base_lr": between(0.0, 0.1),
        "max_lr": between(0.1, 1.0),
        "step_size_up": lambda draw: draw.randint(1, 12),
        "step_size_down": lambda draw: draw.choice((None, draw.randint(1, 12))),
        "mode": one_of("triangular", "triangular2", "exp_range"),
        "gamma": between(0.8, 1.02),
    },
    "one_cycle_lr": {
        "max_lr": power_of_ten(-4, 1),
        "total_steps": lambda draw: draw.randint(EPOCHS, 4 * EPOCHS),
        "pct_start": between(0.05, 0.95),
        "anneal_strategy": one_of("cos", "linear"),
        "div_factor": power_of_ten(0, 2),
        "final_div_factor": power_of_ten(0, 5),
        "three_phase": one_of(False, True),
    },
}
SCHEDULES = {**{name: {**INITIAL, **ranges} for name, ranges in SCHEDULES.items()}, **OWN_RATES}
PLATEAU = {
    "mode": one_of("min", "max"),
    "factor": one_of(0.0, 0.1, 0.5, 0.9),
    "patience": one_of(0, 1, 3),
    "threshold": one_of(0, 1e-4, 0.1, 1.0, 1.5),
    "threshold_mode": one_of("rel", "abs"),
    "cooldown": one_of(0, 1, 4),
    "min_lr": one_of(0, 1e-3),
    "eps": one_of(0, 1e-8, 1e-3),
}


def settings(ranges, name):
    """The random settings, the same in each run."""
    for number in range(SETTINGS):
        draw = random.Random(f"{name} {number}")
        yield draw, {argument: choose(draw) for argument, choose in ranges.items()}


def well_posed(arguments):
    """Without what PyTorch refuses, or where it divides by the rounding of a difference."""
    if arguments.get("nesterov"):
        arguments = {**arguments, "momentum": arguments["momentum"] or 0.9, "dampening": 0}
    if arguments.get("centered") and arguments["alpha"] == 0:
        arguments = {**arguments, "alpha": 0.5}
    if "betas" in arguments and arguments["betas"][1] == 0:  # the gradient may be near 0
        arguments = {**arguments, "weight_decay": 0}
    return arguments


def gradients_of(draw):
    scales = np.array([1e-3, 1.0, 30.0, 0.0])
    rows = [[draw.gauss(0, 1) for _ in scales] for _ in range(STEPS)]
    return np.float32(np.array(rows) * scales)


def pytorch(name, arguments, gradients, rates):
    """Parameters before each step, and the differences that the steps make."""
    point = torch.tensor([1.0, -0.5, 2.0, 0.25], dtype=torch.float64, requires_grad=True)
    rule = getattr(torch.optim, TORCH_CLASSES[name])([point], **arguments)
    points, updates = [], []
    for gradient, rate in zip(gradients, rates, strict=True):
        before = point.detach().clone()
        rule.param_groups[0]["lr"] = rate
        point.grad = torch.tensor(gradient, dtype=torch.float64)
        rule.step()
        points.append(before.numpy())
        updates.append((point.detach() - before).numpy())
    return np.stack(points), np.stack(updates)


@pytest.mark.parametrize("name", RULES)
def test_updates_are_pytorchs(name):
    for draw, arguments in settings(RULES[name], name):
        arguments = well_posed(arguments)
        gradients, rate = gradients_of(draw), arguments["lr"]
        rates = [rate] * 2 + [rate / 10] * (STEPS - 2)
        points, theirs = pytorch(name, arguments, gradients, rates)
        schedule = lambda count, r=rate: jnp.where(count < 2, r, r / 10)  # noqa: E731
        tx = getattr(presets.torch, name)(**{**arguments, "lr": schedule})
        state, ours = tx.init(jnp.zeros(4)), []
        for gradient, point in zip(gradients, np.float32(points), strict=True):
            step, state = tx.update(jnp.asarray(gradient), state, jnp.asarray(point))
            ours.append(np.asarray(step))
        assert parity.parity_error(np.stack(ours), theirs) <= 1e-6, arguments


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_pytorchs(name):
    for _, arguments in settings(SCHEDULES[name], name):
        case = Case(name, arguments)
        ours = jax.vmap(parity.schedule_of(presets.torch, case))(jnp.arange(EPOCHS))
        assert parity.rate_error(ours, torch_rates(case, EPOCHS)) <= 1, arguments


def metrics_of(draw):
    """A walk on a grid that float32 holds, with what breaks off real runs in it."""
    value, metrics = 4.0, []
    for _ in range(30):
        value += draw.choice((-0.5, -0.25, 0.0, 0.125))
        odd = draw.choice((float("inf"), -float("inf"), float("nan")))
        metrics.append(odd if draw.random() < 0.1 else value)
    return metrics


def test_rates_on_plateaus_are_pytorchs():
    for draw, arguments in settings({**INITIAL, **PLATEAU}, "plateau"):
        metrics = metrics_of(draw)
        rest = {key: value for key, value in arguments.items() if key != "initial_rate"}
        rule = torch.optim.SGD([torch.zeros(1)], lr=arguments["initial_rate"])
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(rule, **rest)
        machine = presets.torch.reduce_lr_on_plateau(**arguments)

        def body(state, metric, machine=machine):
            return machine.update(metric, state)[::-1]

        theirs = []
        for metric in metrics:
            scheduler.step(metric)
            theirs.append(rule.param_groups[0]["lr"])
        _, ours = jax.lax.scan(body, machine.init(), jnp.array(metrics))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, err_msg=str((arguments, metrics)))


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_batch_norm_without_a_bias_is_pytorchs(affine, bias):
    try:
        theirs = torch.nn.BatchNorm1d(3, affine=affine, bias=bias, dtype=torch.float64)
    except TypeError:
        pytest.skip("PyTorch before 2.13 has no bias=False")
    x = jnp.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0], [2.0, 0.0, 7.0]])
    ours = presets.torch.batch_norm(affine=affine, bias=bias)
    variables = ours.init(jax.random.key(0), x, train=False)
    names = {"weight": "scale", "bias": "bias"}
    parameters = {names[name] for name, _ in theirs.named_parameters()}
    assert set(variables.get("params", {})) == parameters
    got, _ = ours.apply(variables, x, train=True, mutable=["batch_stats"])
    want = theirs(torch.tensor(np.asarray(x), dtype=torch.float64)).detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
