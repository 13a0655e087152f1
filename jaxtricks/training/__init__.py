"""Training of models: steps, epochs, whole runs, many runs at once, checkpoints and devices.

`trainer` makes the train step and the evaluation from a loss and a gradient transformation. `fit`
trains for several epochs and can write files from which the run is resumed later. `run` trains in
the same way, but is one pure function without files, which `train_population` can call for many
trials in one program.
"""

from jaxtricks.training._apply import Apply as Apply
from jaxtricks.training._control import Position as Position
from jaxtricks.training._epoch import mean_over_steps as mean_over_steps
from jaxtricks.training._epoch import train_epoch as train_epoch
from jaxtricks.training._evaluate import evaluate as evaluate
from jaxtricks.training._loss import Loss as Loss
from jaxtricks.training._loss import ModelLoss as ModelLoss
from jaxtricks.training._non_finite import NonFiniteError as NonFiniteError
from jaxtricks.training._population import train_population as train_population
from jaxtricks.training._predict import predict as predict
from jaxtricks.training._run import Run as Run
from jaxtricks.training._run import run as run
from jaxtricks.training._split_nnx import split_nnx as split_nnx
from jaxtricks.training._state import Averaged as Averaged
from jaxtricks.training._state import TrainState as TrainState
from jaxtricks.training._state import variables as variables
from jaxtricks.training._trainer import Trainer as Trainer
from jaxtricks.training._trainer import trainer as trainer
from jaxtricks.training.checkpoint._restore import NoIntactCheckpoint as NoIntactCheckpoint
from jaxtricks.training.checkpoint._restore import Restored as Restored
from jaxtricks.training.checkpoint._restore import restore as restore
from jaxtricks.training.checkpoint._save import save as save
from jaxtricks.training.devices._jit_step import jit_step as jit_step
from jaxtricks.training.devices._pmap_step import pmap_step as pmap_step
from jaxtricks.training.devices._shard_step import shard_step as shard_step
from jaxtricks.training.devices._sharding import data_sharding as data_sharding
from jaxtricks.training.devices._sharding import place_batch as place_batch
from jaxtricks.training.devices._sharding import replicated as replicated
from jaxtricks.training.loop._choose_loop import choose_loop as choose_loop
from jaxtricks.training.loop._fit import fit as fit
from jaxtricks.training.loop._result import Fit as Fit
from jaxtricks.training.losses._classification_loss import (
    classification_loss as classification_loss,
)

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
