"""Choosing hyper-parameters: checks before a search, search spaces, searches, and diagnosis."""

from jaxtricks.tuning._best import Best as Best
from jaxtricks.tuning._best import best as best
from jaxtricks.tuning._choice import choice as choice
from jaxtricks.tuning._compare import Comparison as Comparison
from jaxtricks.tuning._compare import compare as compare
from jaxtricks.tuning._diagnose import Finding as Finding
from jaxtricks.tuning._diagnose import diagnose as diagnose
from jaxtricks.tuning._distribution import Interval as Interval
from jaxtricks.tuning._distribution import Options as Options
from jaxtricks.tuning._export_study import export_study as export_study
from jaxtricks.tuning._find_learning_rate import LearningRates as LearningRates
from jaxtricks.tuning._find_learning_rate import find_learning_rate as find_learning_rate
from jaxtricks.tuning._grid import grid as grid
from jaxtricks.tuning._initial_loss import InitialLoss as InitialLoss
from jaxtricks.tuning._initial_loss import check_initial_loss as check_initial_loss
from jaxtricks.tuning._integers import integers as integers
from jaxtricks.tuning._log_uniform import log_uniform as log_uniform
from jaxtricks.tuning._narrow import narrow as narrow
from jaxtricks.tuning._overfit import Overfit as Overfit
from jaxtricks.tuning._overfit import check_overfit as check_overfit
from jaxtricks.tuning._retrain import Retrained as Retrained
from jaxtricks.tuning._retrain import retrain as retrain
from jaxtricks.tuning._sample import sample as sample
from jaxtricks.tuning._search import Search as Search
from jaxtricks.tuning._search import search as search
from jaxtricks.tuning._sobol import sobol as sobol
from jaxtricks.tuning._sweep_learning_rate import sweep_learning_rate as sweep_learning_rate
from jaxtricks.tuning._uniform import uniform as uniform

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
