"""Networks: the notes' named ones and those of any depth, each called with `train`."""

from jaxtricks.models._conv import Conv as Conv
from jaxtricks.models._flatten import flatten as flatten
from jaxtricks.models._leaky_relu import leaky_relu as leaky_relu
from jaxtricks.models._mlp import MLP as MLP
from jaxtricks.models._named_mlps import batch_norm_mlp as batch_norm_mlp
from jaxtricks.models._named_mlps import deep_mlp as deep_mlp
from jaxtricks.models._named_mlps import linear_model as linear_model
from jaxtricks.models._named_mlps import pytorch_mlp as pytorch_mlp
from jaxtricks.models._named_mlps import tensorflow_mlp as tensorflow_mlp
from jaxtricks.models._named_mlps import three_layer_net as three_layer_net
from jaxtricks.models._pool import average_pool as average_pool
from jaxtricks.models._pool import max_pool as max_pool
from jaxtricks.models._resnet import ResNet as ResNet
from jaxtricks.models._sequential import Sequential as Sequential
from jaxtricks.models._small_cnn import SmallCNN as SmallCNN

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
