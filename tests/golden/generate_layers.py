"""Makes the layers' golden tables: `python -m tests.golden.generate_layers torch` (or `keras`).

For each row of `layer_tables.py`: three training batches and one in evaluation, in float64, with
channels last; outputs, derivatives of `sum(output * target)` by the third batch and the
parameters, and the running statistics afterwards. Keras runs on the PyTorch backend.
"""

import os
import sys
from pathlib import Path

import numpy as np

from tests.golden.layer_tables import CASES, problem


def torch_layer(case, shape):
    import torch  # pyrefly: ignore[missing-import]

    kind = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    layer = kind(shape[-1], dtype=torch.float64, **case.arguments)
    parameters = {"scale": layer.weight, "bias": layer.bias}
    statistics = {"mean": layer.running_mean, "var": layer.running_var}

    def call(x, train):
        layer.train(train)
        return torch.movedim(layer(torch.movedim(x, -1, 1)), 1, -1)

    return call, {k: v for k, v in parameters.items() if v is not None}, statistics


def keras_layer(case, shape):
    import keras  # pyrefly: ignore[missing-import]

    layer = keras.layers.BatchNormalization(dtype="float64", **case.arguments)
    layer.build(shape)
    parameters = {"scale": layer.gamma, "bias": layer.beta}
    statistics = {"mean": layer.moving_mean.value, "var": layer.moving_variance.value}

    def call(x, train):
        return layer(x, training=train)

    return call, {k: v.value for k, v in parameters.items() if v is not None}, statistics


def run(make, case, number):
    """The table of one case."""
    import torch  # pyrefly: ignore[missing-import]

    batches, target, values = problem(case.shape, number)
    call, parameters, statistics = make(case, case.shape)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.tensor(values[name]))
    inputs = [torch.tensor(batch, dtype=torch.float64) for batch in list(batches)]
    outputs = [call(x, True) for x in inputs[:2]]
    inputs[2].requires_grad_(True)
    outputs.append(call(inputs[2], True))
    torch.sum(outputs[2] * torch.tensor(target, dtype=torch.float64)).backward()
    table = {"output": torch.stack(outputs), "gradient": inputs[2].grad}
    table |= {f"gradient_{name}": parameter.grad for name, parameter in parameters.items()}
    table |= statistics | {"evaluated": call(inputs[3], False)}
    return {name: np.float32(value.detach().numpy()) for name, value in table.items()}


def main(framework):
    os.environ["KERAS_BACKEND"] = "torch"
    make = {"torch": torch_layer, "keras": keras_layer}[framework]
    table = {}
    for number, case in enumerate(CASES[framework]):
        for name, values in run(make, case, number).items():
            table[f"{number}_{name}"] = values
    np.savez_compressed(Path(__file__).parent / f"{framework}_layers.npz", **table)


if __name__ == "__main__":
    main(*sys.argv[1:])
