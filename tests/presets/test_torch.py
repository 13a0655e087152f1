"""`presets.torch` against what PyTorch 2.13 computed in float64."""

import importlib.util

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import presets
from tests.golden.tables import PLATEAUS, TORCH_RULES, TORCH_SCHEDULES
from tests.presets import parity
from tests.presets.parity import label
from tests.untyped import untyped

NOT_OURS = {
    "params",
    "foreach",
    "fused",
    "capturable",
    "differentiable",
    "optimizer",
    "last_epoch",
    "cycle_momentum",
    "base_momentum",
    "max_momentum",
}


@pytest.mark.parametrize("index, case", [*enumerate(TORCH_RULES)], ids=map(label, TORCH_RULES))
def test_updates_are_pytorchs(index, case):
    golden = parity.table("torch")
    theirs = golden[f"updates_{index}"]
    rate = parity.cut_rate(case.arguments["lr"])
    tx = getattr(presets.torch, case.preset)(**{**case.arguments, "lr": rate})
    ours = parity.our_updates(tx, golden, index)
    assert parity.parity_error(ours, theirs) <= 1e-6


@pytest.mark.parametrize(
    "index, case", [*enumerate(TORCH_SCHEDULES)], ids=map(label, TORCH_SCHEDULES)
)
def test_rates_of_60_epochs_are_pytorchs(index, case):
    theirs = np.array(parity.facts("torch")["schedules"][index])
    schedule = parity.schedule_of(presets.torch, case)
    ours = jax.vmap(schedule)(jnp.arange(len(theirs)))
    assert parity.rate_error(ours, theirs) <= 1


@pytest.mark.parametrize("index", range(len(PLATEAUS)))
def test_rates_on_plateaus_are_pytorchs(index):
    case, metrics = PLATEAUS[index]
    machine = getattr(presets.torch, case.preset)(**case.arguments)

    def body(state, metric):
        rate, state = machine.update(metric, state)
        return state, rate

    _, ours = jax.lax.scan(body, machine.init(), jnp.array(metrics))
    theirs = jnp.array(parity.facts("torch")["plateaus"][index])
    chex.assert_trees_all_close(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("preset", sorted(parity.facts("torch")["signatures"]))
def test_arguments_and_defaults_are_pytorchs(preset):
    theirs = parity.facts("torch")["signatures"][preset]
    ours = parity.arguments_of(getattr(presets.torch, preset))
    ours.pop("initial_rate", None)
    if preset == "multiplicative_lr":
        ours.pop("total_iters")  # the length of its table
    assert ours == {name: default for name, default in theirs.items() if name not in NOT_OURS}
    assert list(ours) == [name for name in theirs if name in ours]


@pytest.mark.slow
def test_no_dampening_without_momentum_even_when_traced():
    def first_two(momentum):
        tx = presets.torch.sgd(1.0, momentum, dampening=0.5)
        state = tx.init(jnp.zeros(()))
        _, state = tx.update(jnp.ones(()), state)
        return tx.update(jnp.ones(()), state)[0]

    got = jax.vmap(first_two)(jnp.array([0.0, 0.5]))
    chex.assert_trees_all_close(got, jnp.array([first_two(0), first_two(0.5)]))
    chex.assert_trees_all_close(got, jnp.array([-1.0, -1.0]))


@pytest.mark.parametrize(
    "preset, arguments, message",
    [
        ("sgd", {"lr": -0.1}, r"lr must be .*, got -0.1"),
        ("sgd", {"momentum": 1.1}, r"momentum must be .*, got 1.1"),
        ("sgd", {"nesterov": True}, r"momentum must be above 0 if nesterov is True, got 0"),
        ("sgd", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, r"dampening 0.1"),
        ("adagrad", {"lr": -0.1}, r"lr must be .*, got -0.1"),
        ("adagrad", {"lr_decay": -0.1}, r"lr_decay must be .*, got -0.1"),
        ("rmsprop", {"alpha": 1.1}, r"alpha must be .*, got 1.1"),
        ("adadelta", {"rho": -0.5}, r"rho must be .*, got -0.5"),
        ("adam", {"betas": (1.0, 0.999)}, r"betas\[0\] must be .*, got 1.0"),
        ("adamw", {"betas": (0.9, -0.1)}, r"betas\[1\] must be .*, got -0.1"),
        ("adamw", {"weight_decay": -0.1}, r"weight_decay must be .*, got -0.1"),
        ("step_lr", {"initial_rate": 0.1, "step_size": 0}, r"step_size must be .*, got 0"),
        ("multistep_lr", {"initial_rate": 0.1, "milestones": [3, -1]}, r"milestones\[1\].*got -1"),
        ("cosine_annealing_lr", {"initial_rate": 0.1, "T_max": 0}, r"T_max must be .*, got 0"),
        ("cosine_annealing_warm_restarts", {"initial_rate": 0.1, "T_0": 0}, r"T_0.*got 0"),
        (
            "cosine_annealing_warm_restarts",
            {"initial_rate": 0.1, "T_0": 2, "T_mult": 0},
            r"T_mult.*got 0",
        ),
        ("linear_lr", {"initial_rate": 0.1, "start_factor": 0.0}, r"start_factor.*got 0.0"),
        ("linear_lr", {"initial_rate": 0.1, "end_factor": 1.5}, r"end_factor.*got 1.5"),
        ("linear_lr", {"initial_rate": 0.1, "total_iters": -1}, r"total_iters.*got -1"),
        ("polynomial_lr", {"initial_rate": 0.1, "total_iters": -1}, r"total_iters.*got -1"),
        ("lambda_lr", {"initial_rate": -0.1, "lr_lambda": abs}, r"initial_rate.*got -0.1"),
        (
            "multiplicative_lr",
            {"initial_rate": 0.1, "lr_lambda": lambda epoch: 2.0 - epoch, "total_iters": 5},
            r"lr_lambda\(3\) must be .*, got -1.0",
        ),
        ("sequential_lr", {"schedulers": [abs, abs], "milestones": []}, r"milestones.*got \[\]"),
        ("sequential_lr", {"schedulers": [abs, abs], "milestones": [-1]}, r"milestones\[0\].*-1"),
        ("chained_scheduler", {"initial_rate": 0.1, "schedulers": []}, r"schedulers .*got none"),
        ("cyclic_lr", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 0}, r"step_size_up.*got 0"),
        ("cyclic_lr", {"base_lr": 0.1, "max_lr": -1.0}, r"max_lr must be .*, got -1.0"),
        ("one_cycle_lr", {"max_lr": 0.1}, r"total_steps must be given"),
        ("one_cycle_lr", {"max_lr": 0.1, "epochs": 0, "steps_per_epoch": 3}, r"epochs.*got 0"),
        ("one_cycle_lr", {"max_lr": 0.1, "total_steps": 9, "pct_start": 1.5}, r"pct_start.*1.5"),
        ("reduce_lr_on_plateau", {"initial_rate": 0.1, "factor": 10.0}, r"factor.*got 10.0"),
        ("reduce_lr_on_plateau", {"initial_rate": 0.1, "min_lr": -1.0}, r"min_lr.*got -1.0"),
    ],
)
def test_bad_arguments_are_refused_by_pytorchs_names(preset, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(presets.torch, preset)(**arguments)


def test_the_table_is_what_the_installed_pytorch_computes(tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    parity.generate("torch", tmp_path)
    golden, live = parity.table("torch"), parity.table("torch", tmp_path)
    chex.assert_trees_all_close(golden, live, rtol=1e-6)
    for key in ("signatures", "schedules", "plateaus"):
        assert parity.facts("torch", tmp_path)[key] == parity.facts("torch")[key]


@pytest.mark.parametrize("milestones", [30, None, {30: 0.1}])
def test_milestones_that_are_no_sequence_are_refused(milestones):
    with untyped(), pytest.raises(TypeError, match="milestones must be a Sequence, got"):
        presets.torch.multistep_lr(0.1, milestones)
