"""Learning-rate schedules: pure functions of the number of the update, counted from 0.

The first update has the learning rate `schedule(0)`. Formulas whose time starts at 1 use
`count + 1` and say so. Every length is a number of updates, so a number of epochs is multiplied by
the updates per epoch: "divide by 10 after 30 epochs" is `step_decay(0.1, 30 * steps_per_epoch)`. A
schedule that is called once an epoch, with the number of the epoch, has its lengths in epochs.

A count may be a fraction, a traced value, or a NumPy or JAX array, for example for a plot or a
table: the value of a schedule at an array is the array of its values. Values are float32, and their
relative error against the formula in float64 is at most 1e-5 at every count up to 2^31 - 1 (for a
value below 1e-30 of the peak, the error is at most 1e-35 of the peak). For `polynomial_decay` and
the exponent of `cosine_decay` this holds for powers of up to 50, because a power multiplies the
rounding error of its base. Traced hyper-parameters, for example under `jax.vmap`, are rounded to
float32 before the formula is computed. Lengths may be traced too, unless the docstring says
otherwise.
"""

from jaxtricks.schedules._constant import constant as constant
from jaxtricks.schedules._cosine_decay import cosine_decay as cosine_decay
from jaxtricks.schedules._cosine_restarts import cosine_restarts as cosine_restarts
from jaxtricks.schedules._exponential_decay import exponential_decay as exponential_decay
from jaxtricks.schedules._geometric_decay import geometric_decay as geometric_decay
from jaxtricks.schedules._inverse_sqrt_decay import inverse_sqrt_decay as inverse_sqrt_decay
from jaxtricks.schedules._inverse_time_decay import inverse_time_decay as inverse_time_decay
from jaxtricks.schedules._join import join as join
from jaxtricks.schedules._linear_decay import linear_decay as linear_decay
from jaxtricks.schedules._linear_warmup import linear_warmup as linear_warmup
from jaxtricks.schedules._multistep_decay import multistep_decay as multistep_decay
from jaxtricks.schedules._noam import noam as noam
from jaxtricks.schedules._polynomial_decay import polynomial_decay as polynomial_decay
from jaxtricks.schedules._schedule import ScalarOrSchedule as ScalarOrSchedule
from jaxtricks.schedules._schedule import Schedule as Schedule
from jaxtricks.schedules._schedule import value_at as value_at
from jaxtricks.schedules._step_decay import step_decay as step_decay
from jaxtricks.schedules._with_warmup import with_warmup as with_warmup

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
