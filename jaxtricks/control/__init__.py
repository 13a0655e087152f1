"""Control rules, which watch a metric to lower the learning rate or to stop a run.

Each rule is a `ControlRule`, a state machine that observes the metric once an epoch or whenever
there is a value. Lengths (`patience`, `cooldown`, `strip`) are numbers of observations.
"""

from jaxtricks.control._control_rule import ControlRule as ControlRule
from jaxtricks.control._early_stopping import early_stopping as early_stopping
from jaxtricks.control._generalization_loss import generalization_loss as generalization_loss
from jaxtricks.control._keep_best import keep_best as keep_best
from jaxtricks.control._plateau import plateau as plateau
from jaxtricks.control._progress_quotient import progress_quotient as progress_quotient
from jaxtricks.control._stopping import StoppingState as StoppingState
from jaxtricks.control._successive_increase import successive_increase as successive_increase

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
