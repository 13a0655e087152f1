"""Simple objectives on which update rules can be studied, and the paths that the rules take."""

from jaxtricks.surfaces._banana import banana as banana
from jaxtricks.surfaces._beale import beale as beale
from jaxtricks.surfaces._descend import Descent as Descent
from jaxtricks.surfaces._descend import descend as descend
from jaxtricks.surfaces._double_well import double_well as double_well
from jaxtricks.surfaces._goe import random_goe as random_goe
from jaxtricks.surfaces._gradient_noise import with_gradient_noise as with_gradient_noise
from jaxtricks.surfaces._grid import Grid as Grid
from jaxtricks.surfaces._grid import grid as grid
from jaxtricks.surfaces._inflection import inflection as inflection
from jaxtricks.surfaces._least_squares import least_squares as least_squares
from jaxtricks.surfaces._local_minimum import local_minimum as local_minimum
from jaxtricks.surfaces._logistic_regression import logistic_regression as logistic_regression
from jaxtricks.surfaces._quadratic import quadratic as quadratic
from jaxtricks.surfaces._saddle import saddle as saddle
from jaxtricks.surfaces._sparse_features import SparseFeatures as SparseFeatures
from jaxtricks.surfaces._sparse_features import random_sparse_features as random_sparse_features
from jaxtricks.surfaces._surface import Surface as Surface
from jaxtricks.surfaces._trajectory import Trajectory as Trajectory
from jaxtricks.surfaces._trajectory import trajectory as trajectory
from jaxtricks.surfaces._two_valleys import two_valleys as two_valleys

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
