r"""Optimizers, learning-rate schedules and batch normalization with Keras 3's conventions.

Names and defaults are those of Keras. Compared with Keras in float64, the updates of a coordinate
agree to 1e-6 of its largest update, and learning rates to a relative 1e-5. `learning_rate` may be a
number or a schedule of this library. Each optimizer takes `weight_decay`, which Keras always
decouples from the gradient: in addition to the update rule's step, each parameter is reduced by
$\alpha_t \lambda$ times itself. Decays of averages above 1, and a decay of 1 in Adam, raise an
error, while Keras accepts them. A Python 0 for `momentum`, or None for `weight_decay`, removes that
part and its state; an array or a traced value keeps it, whatever its value.

`clipnorm`, `clipvalue` or `global_clipnorm` clip the gradients before the update rule; 0 does not
clip, as in Keras. With `use_ema` the state holds an exponential moving average of the parameters,
`optax.tree.get(state, "average")`. Every `ema_overwrite_frequency` updates the average replaces the
parameters. Keras's `fit` also replaces them at its end; here the caller must do so. There is no
`loss_scale_factor`, and `optimizers.accumulate` takes the place of `gradient_accumulation_steps`.
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
