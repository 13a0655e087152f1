"""Data sets in memory or as streams, the order of an epoch's batches, and preprocessing."""

from jaxtricks.data._check_examples import check_examples as check_examples
from jaxtricks.data._epoch_order import Order as Order
from jaxtricks.data._epoch_order import epoch_order as epoch_order
from jaxtricks.data._examples import Examples as Examples
from jaxtricks.data._examples import Source as Source
from jaxtricks.data._examples import count_examples as count_examples
from jaxtricks.data._examples import take_batch as take_batch
from jaxtricks.data._export import export as export
from jaxtricks.data._load import available as available
from jaxtricks.data._load import load as load
from jaxtricks.data._one_hot import one_hot as one_hot
from jaxtricks.data._resize import resize as resize
from jaxtricks.data._splits import Splits as Splits
from jaxtricks.data._standardize import Standardizer as Standardizer
from jaxtricks.data._standardize import standardize as standardize
from jaxtricks.data._stream import stream as stream
from jaxtricks.data._tfds_source import TfdsSource as TfdsSource
from jaxtricks.data._zero_center import zero_center as zero_center

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
