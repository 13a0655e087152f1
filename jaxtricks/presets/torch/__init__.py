"""Optimizers, learning-rate schedules and batch norm with the conventions of PyTorch 2.13.

Names and defaults are those of PyTorch. Compared with PyTorch in float64, the updates of a
coordinate agree to 1e-6 of its largest update, and learning rates to a relative 1e-5. `lr` may be a
number or a schedule of this library. An optimizer calls its schedule with the number of the update,
so lengths that PyTorch gives in epochs must then be multiplied by the updates per epoch, as in
`step_lr(0.05, 30 * updates_per_epoch)`. The arguments that only change how PyTorch computes
(`foreach`, `fused`, `capturable`, `differentiable`) do not exist here. A momentum, a dampening or a
decay of an average above 1 raises an error, while PyTorch accepts it in some optimizers. A Python 0
for `weight_decay` or `momentum` removes that part and its state, as in PyTorch; without weight
decay `update` needs no parameters. An array or a traced value keeps the part, whatever its value.
"""

from jaxtricks.presets.torch._adadelta import adadelta as adadelta
from jaxtricks.presets.torch._adagrad import adagrad as adagrad
from jaxtricks.presets.torch._adam import adam as adam
from jaxtricks.presets.torch._adamw import adamw as adamw
from jaxtricks.presets.torch._batch_norm import batch_norm as batch_norm
from jaxtricks.presets.torch._chained_scheduler import chained_scheduler as chained_scheduler
from jaxtricks.presets.torch._constant_lr import constant_lr as constant_lr
from jaxtricks.presets.torch._cosine_annealing_lr import cosine_annealing_lr as cosine_annealing_lr
from jaxtricks.presets.torch._cosine_annealing_warm_restarts import (
    cosine_annealing_warm_restarts as cosine_annealing_warm_restarts,
)
from jaxtricks.presets.torch._cyclic_lr import cyclic_lr as cyclic_lr
from jaxtricks.presets.torch._exponential_lr import exponential_lr as exponential_lr
from jaxtricks.presets.torch._lambda_lr import lambda_lr as lambda_lr
from jaxtricks.presets.torch._linear_lr import linear_lr as linear_lr
from jaxtricks.presets.torch._multiplicative_lr import multiplicative_lr as multiplicative_lr
from jaxtricks.presets.torch._multistep_lr import multistep_lr as multistep_lr
from jaxtricks.presets.torch._one_cycle_lr import one_cycle_lr as one_cycle_lr
from jaxtricks.presets.torch._polynomial_lr import polynomial_lr as polynomial_lr
from jaxtricks.presets.torch._reduce_lr_on_plateau import (
    reduce_lr_on_plateau as reduce_lr_on_plateau,
)
from jaxtricks.presets.torch._rmsprop import rmsprop as rmsprop
from jaxtricks.presets.torch._sequential_lr import sequential_lr as sequential_lr
from jaxtricks.presets.torch._sgd import sgd as sgd
from jaxtricks.presets.torch._step_lr import step_lr as step_lr

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
