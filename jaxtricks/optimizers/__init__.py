"""Update rules as gradient transformations: `scale_by_x` is the rule, `x` has a learning rate."""

from jaxtricks.optimizers._adam import adam as adam
from jaxtricks.optimizers._adam import scale_by_adam as scale_by_adam
from jaxtricks.optimizers._gradient_descent import gradient_descent as gradient_descent
from jaxtricks.optimizers._momentum import momentum as momentum
from jaxtricks.optimizers._momentum import scale_by_momentum as scale_by_momentum
