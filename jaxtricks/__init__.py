"""The classic tricks for training neural networks, as pure functions of JAX arrays."""

from jaxtricks import averaging as averaging
from jaxtricks import control as control
from jaxtricks import data as data
from jaxtricks import initializers as initializers
from jaxtricks import models as models
from jaxtricks import normalization as normalization
from jaxtricks import optimizers as optimizers
from jaxtricks import presets as presets
from jaxtricks import probes as probes
from jaxtricks import regularizers as regularizers
from jaxtricks import schedules as schedules
from jaxtricks import surfaces as surfaces
from jaxtricks import training as training
from jaxtricks import tuning as tuning

__version__ = "0.2.0"
