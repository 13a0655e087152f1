"""Networks, called with an argument `train`, and the layers and blocks of which they consist."""

from jaxtricks.models._resnet import ResNet as ResNet
from jaxtricks.models._small_cnn import SmallCNN as SmallCNN
from jaxtricks.models.layers._conv import Conv as Conv
from jaxtricks.models.layers._flatten import flatten as flatten
from jaxtricks.models.layers._leaky_relu import leaky_relu as leaky_relu
from jaxtricks.models.layers._pool import average_pool as average_pool
from jaxtricks.models.layers._pool import max_pool as max_pool
from jaxtricks.models.layers._sequential import Sequential as Sequential
from jaxtricks.models.mlp._batch_norm_block import batch_norm_block as batch_norm_block
from jaxtricks.models.mlp._batch_norm_mlp import batch_norm_mlp as batch_norm_mlp
from jaxtricks.models.mlp._deep_mlp import deep_mlp as deep_mlp
from jaxtricks.models.mlp._dense_block import dense_block as dense_block
from jaxtricks.models.mlp._hidden_layer import HiddenLayer as HiddenLayer
from jaxtricks.models.mlp._linear_model import linear_model as linear_model
from jaxtricks.models.mlp._mlp import MLP as MLP
from jaxtricks.models.mlp._pytorch_mlp import pytorch_mlp as pytorch_mlp
from jaxtricks.models.mlp._tensorflow_mlp import tensorflow_mlp as tensorflow_mlp
from jaxtricks.models.mlp._three_layer_net import three_layer_net as three_layer_net

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
