"""Choosing hyper-parameters: checks before a search, and the search."""

from jaxtricks.tuning._diagnose import Finding as Finding
from jaxtricks.tuning._diagnose import diagnose as diagnose
from jaxtricks.tuning._find_learning_rate import LearningRates as LearningRates
from jaxtricks.tuning._find_learning_rate import find_learning_rate as find_learning_rate
from jaxtricks.tuning._initial_loss import InitialLoss as InitialLoss
from jaxtricks.tuning._initial_loss import check_initial_loss as check_initial_loss
from jaxtricks.tuning._overfit import Overfit as Overfit
from jaxtricks.tuning._overfit import check_overfit as check_overfit
from jaxtricks.tuning._sweep_learning_rate import sweep_learning_rate as sweep_learning_rate

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
