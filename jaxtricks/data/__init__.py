"""Data sets as arrays in memory, their order in an epoch, and their scale."""

from jaxtricks.data._epoch_order import Order as Order
from jaxtricks.data._epoch_order import epoch_order as epoch_order
from jaxtricks.data._load import available as available
from jaxtricks.data._load import load as load
from jaxtricks.data._splits import Split as Split
from jaxtricks.data._splits import Splits as Splits
from jaxtricks.data._standardize import Standardizer as Standardizer
from jaxtricks.data._standardize import standardize as standardize
