"""Five small tasks to judge the defaults of optimizers by."""

from typing import NamedTuple

import flax.linen as nn

from experiments import lab
from jaxtricks import models


class Task(NamedTuple):
    """A network and its images."""

    model: nn.Module
    images: lab.Images


def tasks(names: tuple[str, ...], count: int, width: int) -> dict[str, Task]:
    """Those of the five that are named, with `count` images each and layers of `width`.

    "linear": softmax regression on digits. "mlp": two hidden ReLU layers on MNIST averaged to
    14 x 14. "deep": four tanh layers of half the width on the same. "batch norm": two ReLU layers
    with batch norm on CIFAR-10 averaged to 16 x 16. "cnn": convolutions of an eighth and a quarter
    of `width` on the same. Digits where a set is not prepared.
    """
    half = max(width // 2, 1)
    networks = {
        "linear": ("digits", models.linear_model()),
        "mlp": ("mnist", models.MLP((width, width, 10))),
        "deep": ("mnist", models.MLP((half, half, half, half, 10), activation=nn.tanh)),
        "batch norm": ("cifar10", models.MLP((width, width, 10), block=models.batch_norm_block)),
        "cnn": ("cifar10", models.SmallCNN((max(width // 8, 1), max(width // 4, 1)), half)),
    }
    sets = {
        kind: lab.split(kind, count, test=2000) for kind in {networks[name][0] for name in names}
    }
    return {name: Task(networks[name][1], sets[networks[name][0]]) for name in names}
