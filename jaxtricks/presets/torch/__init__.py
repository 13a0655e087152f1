"""PyTorch 2.13's optimizers, schedulers and batch norm: its names, defaults and numbers.

Updates agree with PyTorch's in float64 to 1e-6 of each coordinate's largest, rates of schedules to
1e-5 of themselves. `lr` may also be a schedule of ours. The arguments that only concern speed
(`foreach`, `fused`, `capturable`, `differentiable`) have no counterpart. A momentum, a dampening or
a decay of an average above 1, which PyTorch accepts in some rules, is refused. A Python 0 for
`weight_decay` or `momentum` leaves that part out, as in PyTorch, so that `update` needs no
parameters; an array or a tracer keeps it in, so that the state's structure does not depend on a
value.
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
