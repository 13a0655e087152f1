"""Batch norm against the tables that PyTorch's and Keras's own layers made."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.presets import keras, torch
from tests.golden import layer_tables
from tests.untyped import untyped

MAKE = {"torch": torch.batch_norm, "keras": keras.batch_normalization}
CASES = [
    pytest.param(framework, number, id=f"{framework}-{number}")
    for framework, cases in layer_tables.CASES.items()
    for number in range(len(cases))
]


@pytest.mark.slow
@pytest.mark.parametrize("framework, number", CASES)
def test_outputs_gradients_and_running_statistics_are_the_framework_s(framework, number):
    case = layer_tables.CASES[framework][number]
    path = Path(layer_tables.__file__).parent / f"{framework}_layers.npz"
    with np.load(path) as file:
        golden = {
            name.removeprefix(f"{number}_"): file[name]
            for name in file.files
            if name.startswith(f"{number}_")
        }
    batches, target, values = layer_tables.problem(case.shape, number)
    layer = MAKE[framework](**case.arguments)
    variables = layer.init(jax.random.key(0), jnp.asarray(batches[0]), train=False)
    names = tuple(variables.get("params") or ())
    assert {f"gradient_{n}" for n in names} == {n for n in golden if n.startswith("gradient_")}

    def train(params, stats, x):
        given = {"params": params, "batch_stats": stats}
        y, updated = layer.apply(given, x, train=True, mutable=["batch_stats"])
        return jnp.sum(y * target), (y, updated["batch_stats"])

    step = jax.jit(jax.grad(train, (0, 2), has_aux=True))
    params, stats = {name: jnp.asarray(values[name]) for name in names}, variables["batch_stats"]
    outputs = []
    for x in batches[:3]:
        gradient, (y, stats) = step(params, stats, jnp.asarray(x))
        outputs.append(y)
    found = {"output": jnp.stack(outputs), "gradient": gradient[1], **stats}
    found |= {f"gradient_{name}": value for name, value in gradient[0].items()}
    found["evaluated"] = layer.apply(
        {"params": params, "batch_stats": stats}, jnp.asarray(batches[3]), train=False
    )
    assert set(found) == set(golden)
    for name, wanted in golden.items():
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(found[name], wanted, atol=2e-5 * scale, err_msg=name)


def test_bad_arguments_are_named_as_given():
    with untyped():
        for make, name in ((torch.batch_norm, "eps"), (keras.batch_normalization, "epsilon")):
            with pytest.raises(ValueError, match=f"{name} .* got -1"):
                make(**{name: -1.0})
            with pytest.raises(ValueError, match="momentum .* got 1.5"):
                make(momentum=1.5)
        with pytest.raises(TypeError, match="affine must be a bool, got 1"):
            torch.batch_norm(affine=1)
        with pytest.raises(TypeError, match="takes 0 positional arguments"):  # no features
            torch.batch_norm(64)  # pyrefly: ignore[bad-argument-count]
