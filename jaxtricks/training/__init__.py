"""Training: a pure step, the epoch as one scan, whole runs, many runs, and a loop that survives."""

from jaxtricks.training._epoch import make_train_epoch as make_train_epoch
from jaxtricks.training._epoch import mean_over_steps as mean_over_steps
from jaxtricks.training._evaluate import evaluate as evaluate
from jaxtricks.training._evaluate import make_eval_step as make_eval_step
from jaxtricks.training._losses import classification_loss as classification_loss
from jaxtricks.training._run import Run as Run
from jaxtricks.training._run import make_run as make_run
from jaxtricks.training._state import TrainState as TrainState
from jaxtricks.training._state import init_state as init_state
from jaxtricks.training._state import variables as variables
from jaxtricks.training._step import Loss as Loss
from jaxtricks.training._step import make_train_step as make_train_step
