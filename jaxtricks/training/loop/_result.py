"""What `fit` gives back."""

from typing import NamedTuple

from jaxtyping import PyTree

from jaxtricks.training._control import Position
from jaxtricks.training._state import TrainState
from jaxtricks.training.loop._history import Record


class Fit(NamedTuple):
    """The result of `fit`: where the run stands, and what happened on the way.

    Attributes:
        position: the last state and those of the rules, as checkpoints hold them.
        history: of each epoch, the record that `history.jsonl` has. Epochs whose lines were damaged
            or lost before the run was resumed have none.
        state: the state after the last epoch.
        best_variables: the model with the best validation metric, or None.
        best_epoch: the epoch that had it, or None. Both are None too if the stopping rule has not
            looked at an epoch yet, as with `control.early_stopping(start_from=)`.
        epochs: how many epochs were run.
    """

    position: Position
    history: list[Record]

    @property
    def state(self) -> TrainState:
        """The state after the last epoch."""
        return self.position.state

    @property
    def best_variables(self) -> PyTree:
        """The variables with the best validation metric, for `model.apply` and `evaluate`.

        None if the stopping rule does not keep them, or has seen no epoch.
        """
        seen = getattr(self.position.stopping, "best_observation", None) != 0
        return getattr(self.position.stopping, "best_variables", None) if seen else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best metric, from 1: train so long again on all examples.

        None if the stopping rule does not count its observations, or has seen no epoch.
        """
        return int(getattr(self.position.stopping, "best_observation", None) or 0) or None

    @property
    def epochs(self) -> int:
        """How many epochs were run, those before an interruption included."""
        return int(self.position.epoch)
