"""Training: a pure step, the epoch as one scan, whole runs, many runs, and a loop that survives."""

from jaxtricks.training._checkpoint import NoIntactCheckpoint as NoIntactCheckpoint
from jaxtricks.training._checkpoint import Restored as Restored
from jaxtricks.training._checkpoint import restore as restore
from jaxtricks.training._checkpoint import save as save
from jaxtricks.training._devices import data_sharding as data_sharding
from jaxtricks.training._devices import jit_step as jit_step
from jaxtricks.training._devices import place as place
from jaxtricks.training._devices import pmap_step as pmap_step
from jaxtricks.training._devices import replicated as replicated
from jaxtricks.training._devices import shard_step as shard_step
from jaxtricks.training._epoch import make_train_epoch as make_train_epoch
from jaxtricks.training._epoch import mean_over_steps as mean_over_steps
from jaxtricks.training._evaluate import evaluate as evaluate
from jaxtricks.training._evaluate import make_eval_step as make_eval_step
from jaxtricks.training._evaluate_source import evaluate_source as evaluate_source
from jaxtricks.training._fit import Fit as Fit
from jaxtricks.training._fit import fit as fit
from jaxtricks.training._loop_form import loop_form as loop_form
from jaxtricks.training._loss import Loss as Loss
from jaxtricks.training._losses import classification_loss as classification_loss
from jaxtricks.training._non_finite import NonFiniteError as NonFiniteError
from jaxtricks.training._population import train_population as train_population
from jaxtricks.training._run import Run as Run
from jaxtricks.training._run import make_run as make_run
from jaxtricks.training._state import Averaged as Averaged
from jaxtricks.training._state import TrainState as TrainState
from jaxtricks.training._state import init_state as init_state
from jaxtricks.training._state import variables as variables
from jaxtricks.training._state import with_variables as with_variables
from jaxtricks.training._step import make_train_step as make_train_step

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
