"""The batch-norm paper's MNIST network (004:495-506) on small images, with and without the norm."""

from typing import Any

import flax.linen as nn

from experiments.engine import COLOURS
from jaxtricks import initializers, models

PLAIN, NORMED = ARMS = ("without batch norm", "batch norm")
BLOCKS = {PLAIN: models.dense_block, NORMED: models.batch_norm_block}
LOOKS = {
    PLAIN: {"color": COLOURS[1], "label": PLAIN},
    NORMED: {"color": COLOURS[0], "label": NORMED},
}


def network(arm: str, trial: Any, *, hidden: tuple[int, ...]) -> models.MLP:
    """Sigmoid layers from Xavier's start, or from N(0, trial["std"]^2) if the trial has one."""
    start = initializers.gaussian(std=trial["std"]) if "std" in trial else initializers.xavier()
    return models.MLP((*hidden, 10), activation=nn.sigmoid, block=BLOCKS[arm], kernel_init=start)
