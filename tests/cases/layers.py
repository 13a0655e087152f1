"""Every layer, model and pure kernel under contract."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from jaxtricks import models, normalization, regularizers

ROWS, IMAGES = (6, 5), (4, 8, 8, 2)


class Layer(NamedTuple):
    """A Flax module under contract.

    `make`: the class. `shape`: of an input. `hyper`: every float field with two values. `ends`: the
    smallest and the largest value of each float field, None where there is no largest. `static`:
    the other fields, with the value used here. `bad`: values that a static field refuses.
    `draws`: it is stochastic in training. `shares_masks`: one draw serves all examples.
    `normalizes`: it keeps running statistics. `in_dtype`: the fields with which it computes in a
    dtype; None if it computes in that of its input. `any_input`: leaves it to its layers to refuse
    whole numbers.
    """

    make: Callable[..., nn.Module]
    shape: tuple[int, ...]
    hyper: Mapping[str, tuple[float, float]] = {}
    ends: Mapping[str, tuple[float, float | None]] = {}
    static: Mapping[str, object] = {}
    bad: Mapping[str, object] = {}
    draws: bool = False
    shares_masks: bool = False
    normalizes: bool = False
    in_dtype: Callable[[Any], Mapping[str, object]] | None = None
    any_input: bool = False


class Kernel(NamedTuple):
    """A pure function of arrays under contract.

    `function`: itself, its arrays first. `arrays`: their names and shapes, a key's left out.
    `hyper` and `ends`: as of a `Layer`. `key`: its first argument is a random key. `bad`: values
    that other arguments refuse. `whole_numbers`: they are allowed, and become floats.
    """

    function: Callable[..., object]
    arrays: Mapping[str, tuple[int, ...]]
    hyper: Mapping[str, tuple[float, float]] = {}
    ends: Mapping[str, tuple[float, float | None]] = {}
    static: Mapping[str, object] = {}
    bad: Mapping[str, object] = {}
    key: bool = False
    whole_numbers: bool = False


DROP_CONNECT: dict[str, object] = {
    "features": 5,
    "per_example": False,
    "activation": None,
    "inference": "mean",
    "samples": 10,
    "use_bias": True,
    "kernel_init": nn.initializers.lecun_normal(),
    "dtype": None,
    "rng_collection": "dropout",
}
BAD_DROP_CONNECT: dict[str, object] = {
    "features": 0,
    "activation": "relu",
    "inference": "median",
    "samples": 0,
    "kernel_init": "he",
    "dtype": bool,
    "rng_collection": "params",
}


def by_field(dtype: Any) -> dict[str, object]:
    """The field `dtype` of the layer."""
    return {"dtype": dtype}


def layers_of(dtype: Any) -> dict[str, object]:
    """The fields of a `Sequential`, which has no dtype: its layers have theirs."""
    return {
        "layers": (
            regularizers.Dropout(0.5),
            nn.Dense(16, dtype=dtype),
            normalization.BatchNorm(dtype=dtype),
            nn.relu,
            regularizers.Dropout(0.5),
            nn.Dense(5, dtype=dtype),
        )
    }


LAYERS: dict[str, Layer] = {
    "Dropout": Layer(
        regularizers.Dropout,
        ROWS,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"mask_axes": None, "inverted": True, "rng_collection": "dropout"},
        bad={"mask_axes": 0, "rng_collection": "params"},
        draws=True,
    ),
    "Dropout of whole channels": Layer(
        regularizers.Dropout,
        IMAGES,
        hyper={"rate": (0.5, 0.1)},
        ends={"rate": (0.0, 1.0)},
        static={"mask_axes": (0, -1), "inverted": False, "rng_collection": "dropout"},
        bad={"mask_axes": 0, "rng_collection": "params"},
        draws=True,
    ),
    "GaussianDropout": Layer(
        regularizers.GaussianDropout,
        ROWS,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 0.999)},
        static={"rng_collection": "dropout"},
        bad={"rng_collection": "params"},
        draws=True,
    ),
    "AlphaDropout": Layer(
        regularizers.AlphaDropout,
        ROWS,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"rng_collection": "dropout"},
        bad={"rng_collection": "params"},
        draws=True,
    ),
    "FractionalMaxPool": Layer(
        regularizers.FractionalMaxPool,
        IMAGES,
        static={
            "ratio": 1.5,
            "overlapping": True,
            "pseudo_random": True,
            "rng_collection": "dropout",
        },
        bad={"ratio": 2.5, "rng_collection": "params"},
        draws=True,
    ),
    "StochasticDepth": Layer(
        regularizers.StochasticDepth,
        ROWS,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"inverted": True, "rng_collection": "dropout"},
        bad={"rng_collection": "params"},
        draws=True,
    ),
    "DropConnectDense": Layer(
        regularizers.DropConnectDense,
        ROWS,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static=DROP_CONNECT,
        bad=BAD_DROP_CONNECT,
        draws=True,
        shares_masks=True,
        in_dtype=by_field,
    ),
    "DropConnectDense with a mask per example": Layer(
        regularizers.DropConnectDense,
        ROWS,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={**DROP_CONNECT, "per_example": True, "activation": nn.tanh},
        bad=BAD_DROP_CONNECT,
        draws=True,
        in_dtype=by_field,
    ),
    "DropConnectConv": Layer(
        regularizers.DropConnectConv,
        IMAGES,
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={
            **DROP_CONNECT,
            "features": 2,
            "kernel_size": (3, 3),
            "per_example": True,
            "strides": 1,
            "algorithm": None,
        },
        bad={**BAD_DROP_CONNECT, "kernel_size": 3, "strides": 0, "algorithm": "fft"},
        draws=True,
        in_dtype=by_field,
    ),
    "Maxout": Layer(
        regularizers.Maxout,
        ROWS,
        static={
            "features": 5,
            "pieces": 3,
            "use_bias": True,
            "kernel_init": nn.initializers.lecun_normal(),
            "dtype": None,
        },
        bad={"features": 0, "pieces": 1.5, "kernel_init": "he", "dtype": bool},
        in_dtype=by_field,
    ),
    "BatchNorm": Layer(
        normalization.BatchNorm,
        ROWS,
        hyper={"decay": (0.9, 0.5), "eps": (1e-5, 0.1)},
        ends={"decay": (0.0, 1.0), "eps": (0.0, None)},
        static={
            "unbiased_running_var": True,
            "axis_name": None,
            "use_scale": True,
            "use_bias": True,
            "scale_init": nn.initializers.ones,
            "bias_init": nn.initializers.zeros,
            "axis": -1,
            "dtype": None,
        },
        bad={"axis": 1.5, "axis_name": 3, "scale_init": 1.0, "bias_init": None, "dtype": "int8"},
        normalizes=True,
        in_dtype=by_field,
    ),
    "Conv": Layer(
        models.Conv,
        IMAGES,
        static={
            "features": 2,
            "kernel_size": (3, 3),
            "strides": 1,
            "use_bias": True,
            "kernel_init": nn.initializers.lecun_normal(),
            "algorithm": None,
            "dtype": None,
        },
        bad={
            "features": 0,
            "kernel_size": 3,
            "strides": 0,
            "kernel_init": "he",
            "algorithm": "fft",
            "dtype": np.uint8,
        },
        in_dtype=by_field,
    ),
    "MLP": Layer(
        models.MLP,
        ROWS,
        hyper={"dropout_rates": (0.5, 0.3)},
        ends={"dropout_rates": (0.0, 1.0)},
        static={
            "features": (16, 5),
            "activation": nn.tanh,
            "block": models.batch_norm_block,
            "kernel_init": nn.initializers.lecun_normal(),
            "dtype": None,
        },
        bad={
            "features": (),
            "activation": "relu",
            "block": "dense",
            "kernel_init": "he",
            "dtype": complex,
        },
        draws=True,
        normalizes=True,
        in_dtype=by_field,
    ),
    "SmallCNN": Layer(
        models.SmallCNN,
        IMAGES,
        hyper={"dropout_rate": (0.5, 0.3)},
        ends={"dropout_rate": (0.0, 1.0)},
        static={
            "features": (2,),
            "hidden": 16,
            "classes": 3,
            "batch_norm": True,
            "axis_name": None,
            "algorithm": None,
            "dtype": None,
        },
        bad={
            "features": (),
            "hidden": 0,
            "classes": 1.5,
            "axis_name": 3,
            "algorithm": "fft",
            "dtype": "half precision",
        },
        draws=True,
        normalizes=True,
        in_dtype=by_field,
    ),
    "ResNet": Layer(
        models.ResNet,
        IMAGES,
        static={
            "depth": 8,
            "width": 2,
            "classes": 3,
            "axis_name": None,
            "algorithm": None,
            "dtype": None,
        },
        bad={
            "depth": 9,
            "width": 0,
            "classes": 1.5,
            "axis_name": 3,
            "algorithm": "fft",
            "dtype": 3,
        },
        normalizes=True,
        in_dtype=by_field,
    ),
    "Sequential": Layer(
        models.Sequential,
        ROWS,
        static=layers_of(None),
        bad={"layers": ()},
        draws=True,
        normalizes=True,
        in_dtype=layers_of,
    ),
    "MLP of one layer": Layer(
        models.MLP,
        ROWS,
        hyper={"dropout_rates": (0.0, 0.0)},
        static={
            "features": (5,),
            "activation": nn.relu,
            "block": models.dense_block,
            "kernel_init": nn.initializers.zeros,
            "dtype": None,
        },
        in_dtype=by_field,
    ),
    "Sequential of one layer": Layer(
        models.Sequential,
        ROWS,
        static={"layers": (nn.Dense(5),)},
        bad={"layers": (3,)},
        in_dtype=lambda dtype: {"layers": (nn.Dense(5, dtype=dtype),)},
        any_input=True,
    ),
}

KERNELS: dict[str, Kernel] = {
    "dropout": Kernel(
        regularizers.dropout,
        {"x": ROWS},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"mask_axes": None, "inverted": True},
        bad={"mask_axes": 0},
        key=True,
    ),
    "gaussian_dropout": Kernel(
        regularizers.gaussian_dropout,
        {"x": ROWS},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 0.999)},
        key=True,
    ),
    "alpha_dropout": Kernel(
        regularizers.alpha_dropout,
        {"x": ROWS},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        key=True,
    ),
    "fractional_max_pool": Kernel(
        regularizers.fractional_max_pool,
        {"x": IMAGES},
        static={
            "ratio": 1.5,
            "overlapping": False,
            "pseudo_random": False,
            "return_indices": False,
        },
        bad={"ratio": 2.5},
        key=True,
    ),
    "stochastic_depth": Kernel(
        regularizers.stochastic_depth,
        {"x": ROWS},
        hyper={"rate": (0.75, 0.5)},
        ends={"rate": (0.0, 1.0)},
        static={"inverted": True},
        key=True,
    ),
    "drop_connect": Kernel(
        regularizers.drop_connect,
        {"x": (6, 4), "kernel": (4, 3)},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"per_example": True},
        key=True,
    ),
    "drop_connect_conv": Kernel(
        regularizers.drop_connect_conv,
        {"x": IMAGES, "kernel": (2, 3, 2, 3)},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"per_example": True, "strides": 2, "algorithm": None},
        bad={"strides": 0, "algorithm": "fft"},
        key=True,
    ),
    "drop_connect_moments": Kernel(
        regularizers.drop_connect_moments,
        {"x": (6, 4), "kernel": (4, 3)},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
    ),
    "drop_connect_conv_moments": Kernel(
        regularizers.drop_connect_conv_moments,
        {"x": IMAGES, "kernel": (2, 3, 2, 3)},
        hyper={"rate": (0.5, 0.3)},
        ends={"rate": (0.0, 1.0)},
        static={"strides": (1, 2), "algorithm": "native"},
        bad={"strides": 0, "algorithm": "fft"},
    ),
    "mean_activation": Kernel(
        regularizers.mean_activation,
        {"mean": ROWS, "variance": ROWS},
        static={"activation": nn.relu, "samples": 5},
        bad={"samples": 0},
        key=True,
    ),
    "undo_batch_norm": Kernel(
        normalization.undo_batch_norm,
        {"mean": (3,), "var": (3,)},
        hyper={"eps": (1e-5, 0.1)},
        ends={"eps": (0.0, None)},
    ),
    "leaky_relu": Kernel(
        models.leaky_relu,
        {"x": ROWS},
        hyper={"slope": (0.1, 0.5)},
        ends={"slope": (0.0, 1.0)},
        whole_numbers=True,
    ),
    "flatten": Kernel(models.flatten, {"images": IMAGES}),
    "max_pool": Kernel(models.max_pool, {"images": IMAGES}, static={"size": 2}, bad={"size": 0}),
    "average_pool": Kernel(
        models.average_pool, {"images": IMAGES}, static={"size": 3}, bad={"size": 1.5}
    ),
}


@functools.cache
def example(shape: tuple[int, ...], dtype: object = None) -> jax.Array:
    """Positive numbers; the second example is like the first, and one feature is constant."""
    with jax.ensure_compile_time_eval():
        x = jax.random.uniform(jax.random.key(1), shape, minval=0.1, maxval=2.0)
        if len(shape) > 1:
            x = x.at[1].set(x[0]).at[..., 0].set(1.0)
        return x if dtype is None else x.astype(dtype)
