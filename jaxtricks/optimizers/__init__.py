"""Optimizers, penalties and wrappers as gradient transformations of optax.

`scale_by_adam` is the update rule alone, and `adam` is the rule followed by the learning rate. The
names of AdaDelta, AdaGrad, momentum and RMSProp follow the same pattern.

As in optax, a chain passes the extra arguments of `update(updates, state, params, **extra_args)`,
such as `value` and `weight`, to every transformation, and each uses the arguments that it knows. A
misspelt argument is therefore ignored without an error.
"""

from jaxtricks.optimizers._accumulate import accumulate as accumulate
from jaxtricks.optimizers._adadelta import adadelta as adadelta
from jaxtricks.optimizers._adadelta import scale_by_adadelta as scale_by_adadelta
from jaxtricks.optimizers._adagrad import adagrad as adagrad
from jaxtricks.optimizers._adagrad import scale_by_adagrad as scale_by_adagrad
from jaxtricks.optimizers._adam import adam as adam
from jaxtricks.optimizers._adam import scale_by_adam as scale_by_adam
from jaxtricks.optimizers._adam_to_sgd import adam_to_sgd as adam_to_sgd
from jaxtricks.optimizers._adamw import adamw as adamw
from jaxtricks.optimizers._add_decoupled_decay import add_decoupled_decay as add_decoupled_decay
from jaxtricks.optimizers._add_elastic_net import add_elastic_net as add_elastic_net
from jaxtricks.optimizers._add_l1 import add_l1 as add_l1
from jaxtricks.optimizers._add_l2 import add_l2 as add_l2
from jaxtricks.optimizers._effective_learning_rate import (
    effective_learning_rate as effective_learning_rate,
)
from jaxtricks.optimizers._freeze import freeze as freeze
from jaxtricks.optimizers._freeze_dropped import freeze_dropped as freeze_dropped
from jaxtricks.optimizers._full_precision import full_precision as full_precision
from jaxtricks.optimizers._gradient_descent import gradient_descent as gradient_descent
from jaxtricks.optimizers._keep_present import keep_present as keep_present
from jaxtricks.optimizers._layer_depth import layer_depth as layer_depth
from jaxtricks.optimizers._lookahead import base_point as base_point
from jaxtricks.optimizers._lookahead import lookahead_point as lookahead_point
from jaxtricks.optimizers._mask_by_path import mask_by_path as mask_by_path
from jaxtricks.optimizers._max_norm import max_norm as max_norm
from jaxtricks.optimizers._momentum import momentum as momentum
from jaxtricks.optimizers._momentum import scale_by_momentum as scale_by_momentum
from jaxtricks.optimizers._nesterov import nesterov as nesterov
from jaxtricks.optimizers._plateau import scale_by_plateau as scale_by_plateau
from jaxtricks.optimizers._proximal_l1 import proximal_l1 as proximal_l1
from jaxtricks.optimizers._rmsprop import rmsprop as rmsprop
from jaxtricks.optimizers._rmsprop import scale_by_rmsprop as scale_by_rmsprop
from jaxtricks.optimizers._scale_by_depth import scale_by_depth as scale_by_depth
from jaxtricks.optimizers._swats import swats as swats
from jaxtricks.optimizers._weights_only import weights_only as weights_only

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
