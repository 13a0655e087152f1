"""The result of `fit`."""

from typing import NamedTuple

from jaxtyping import PyTree

from jaxtricks.training._control import Position
from jaxtricks.training._state import TrainState
from jaxtricks.training.loop._history import Record


class Fit(NamedTuple):
    """The result of `fit`: the last state, the best variables and the metrics of each epoch.

    Attributes:
        position: the last state and the states of the control rules, as checkpoints hold them.
        history: one dict per epoch, as `history.jsonl` holds them: `"epoch"`, counted from 1,
            `"step"`, the number of finished updates, `"seconds"`, the metrics, such as
            `"train.loss"` and `"validation.loss"`, and what `on_epoch` added. Epochs whose lines
            were damaged or lost before the run was resumed are missing.
        state: the state after the last epoch.
        best_variables: the variables with the best validation metric, or None.
        best_epoch: the epoch with the best validation metric, counted from 1, or None. Both are
            None if the stopping rule does not keep them, or if no epoch has become the best yet,
            as during the first epochs with `control.early_stopping(start_from=...)`.
        epochs: the number of epochs trained in total, including those before an interruption.
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

        None if the stopping rule does not keep them, or if no epoch has become the best yet.
        """
        seen = getattr(self.position.stopping, "best_observation", None) != 0
        return getattr(self.position.stopping, "best_variables", None) if seen else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best validation metric, counted from 1.

        To retrain on all examples, train for this number of epochs. None if the stopping rule does
        not keep it, or if no epoch has become the best yet.
        """
        return int(getattr(self.position.stopping, "best_observation", None) or 0) or None

    @property
    def epochs(self) -> int:
        """The number of epochs trained in total, including those before an interruption."""
        return int(self.position.epoch)
