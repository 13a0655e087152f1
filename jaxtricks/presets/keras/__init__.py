r"""`keras.optimizers`, its `schedules`, and `keras.layers.BatchNormalization`: Keras 3's numbers.

Names and defaults are Keras's. Updates agree with Keras's in float64 to 1e-6 of each coordinate's
largest, rates of schedules to 1e-5 of themselves. `learning_rate` may also
be a schedule of ours. Every rule takes `weight_decay`, which Keras always decouples: the variables
shrink by $\alpha_t \lambda$ of themselves besides the rule's step. A decay of an average above 1,
and one of Adam's of 1, which Keras accepts, are refused. A Python 0 for `momentum` and None for
`weight_decay` leave that part out; an array or a tracer keeps it in, so that the state's structure
does not depend on a value.

The gradients are clipped by `clipnorm`, `clipvalue` or `global_clipnorm` before the rule; 0 clips
nothing, as in Keras. With `use_ema` the state holds an average of the parameters,
`optax.tree.get(state, "average")`, by which `ema_overwrite_frequency` replaces them now and then;
Keras's `fit` also does so at its end, which here is yours to do. `loss_scale_factor` and
`gradient_accumulation_steps` (`optimizers.accumulate`) are left out.
"""

from jaxtricks.presets.keras._adadelta import adadelta as adadelta
from jaxtricks.presets.keras._adagrad import adagrad as adagrad
from jaxtricks.presets.keras._adam import adam as adam
from jaxtricks.presets.keras._adamw import adamw as adamw
from jaxtricks.presets.keras._batch_normalization import (
    batch_normalization as batch_normalization,
)
from jaxtricks.presets.keras._cosine_decay import cosine_decay as cosine_decay
from jaxtricks.presets.keras._cosine_decay_restarts import (
    cosine_decay_restarts as cosine_decay_restarts,
)
from jaxtricks.presets.keras._exponential_decay import exponential_decay as exponential_decay
from jaxtricks.presets.keras._inverse_time_decay import inverse_time_decay as inverse_time_decay
from jaxtricks.presets.keras._piecewise_constant_decay import (
    piecewise_constant_decay as piecewise_constant_decay,
)
from jaxtricks.presets.keras._polynomial_decay import polynomial_decay as polynomial_decay
from jaxtricks.presets.keras._rmsprop import rmsprop as rmsprop
from jaxtricks.presets.keras._sgd import sgd as sgd

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
