"""Regularizers: penalties to add to a loss, and random layers, each also as a pure function."""

from jaxtricks.regularizers._alpha_dropout import AlphaDropout as AlphaDropout
from jaxtricks.regularizers._alpha_dropout import alpha_dropout as alpha_dropout
from jaxtricks.regularizers._drop_connect import DropConnectDense as DropConnectDense
from jaxtricks.regularizers._drop_connect import drop_connect as drop_connect
from jaxtricks.regularizers._drop_connect_conv import DropConnectConv as DropConnectConv
from jaxtricks.regularizers._drop_connect_conv import drop_connect_conv as drop_connect_conv
from jaxtricks.regularizers._drop_connect_moments import (
    drop_connect_conv_moments as drop_connect_conv_moments,
)
from jaxtricks.regularizers._drop_connect_moments import (
    drop_connect_moments as drop_connect_moments,
)
from jaxtricks.regularizers._drop_connect_moments import mean_activation as mean_activation
from jaxtricks.regularizers._dropout import Dropout as Dropout
from jaxtricks.regularizers._dropout import dropout as dropout
from jaxtricks.regularizers._elastic_net import elastic_net as elastic_net
from jaxtricks.regularizers._fractional_max_pool import FractionalMaxPool as FractionalMaxPool
from jaxtricks.regularizers._fractional_max_pool import fractional_max_pool as fractional_max_pool
from jaxtricks.regularizers._gaussian_dropout import GaussianDropout as GaussianDropout
from jaxtricks.regularizers._gaussian_dropout import gaussian_dropout as gaussian_dropout
from jaxtricks.regularizers._l1 import l1 as l1
from jaxtricks.regularizers._l2 import l2 as l2
from jaxtricks.regularizers._maxout import Maxout as Maxout
from jaxtricks.regularizers._present_units import present_units as present_units
from jaxtricks.regularizers._reduction import strength_for_mean as strength_for_mean
from jaxtricks.regularizers._reduction import strength_for_sum as strength_for_sum
from jaxtricks.regularizers._scale_weights import scale_weights as scale_weights
from jaxtricks.regularizers._stochastic_depth import StochasticDepth as StochasticDepth
from jaxtricks.regularizers._stochastic_depth import stochastic_depth as stochastic_depth

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
