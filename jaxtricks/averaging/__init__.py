"""Averages of a model's parameters, and averages of the predictions of several models.

An `Averager` averages parameters; update it with the new parameters after every training step.
"""

from jaxtricks.averaging._averager import Averager as Averager
from jaxtricks.averaging._cycle_ends import cycle_ends as cycle_ends
from jaxtricks.averaging._ensemble_predictions import ensemble_predictions as ensemble_predictions
from jaxtricks.averaging._exponential_average import exponential_average as exponential_average
from jaxtricks.averaging._measure_batch_norm import (
    measure_batch_norm as measure_batch_norm,
)
from jaxtricks.averaging._monte_carlo_predictions import (
    MonteCarloPredictions as MonteCarloPredictions,
)
from jaxtricks.averaging._monte_carlo_predictions import (
    monte_carlo_predictions as monte_carlo_predictions,
)
from jaxtricks.averaging._polyak_average import polyak_average as polyak_average
from jaxtricks.averaging._recalibrate_batch_norm import (
    recalibrate_batch_norm as recalibrate_batch_norm,
)
from jaxtricks.averaging._snapshots import Snapshots as Snapshots
from jaxtricks.averaging._snapshots import snapshots as snapshots

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
