"""One cheap legal call of every public function that no other table calls."""

import functools
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxtricks import (
    averaging,
    control,
    data,
    initializers,
    models,
    normalization,
    optimizers,
    presets,
    probes,
    regularizers,
    schedules,
    surfaces,
    training,
    tuning,
)
from tests.cases.averagers import AVERAGERS
from tests.cases.build import first_values
from tests.cases.control import CONTROLS
from tests.cases.layers import KERNELS, LAYERS, example
from tests.cases.schedules import SCHEDULES
from tests.cases.transforms import TRANSFORMS
from tests.presets import cases as preset_cases

Call = tuple[Callable[..., Any], Mapping[str, Any]]
KEY = jax.random.key(0)


@functools.cache
def model() -> tuple[nn.Module, dict[str, Any]]:
    """A small network with its variables."""
    net = models.MLP((3, 2))
    init = jax.jit(functools.partial(net.init, train=False))
    return net, init(KEY, jnp.zeros((1, 2, 2, 1)))


@functools.cache
def trained() -> tuple[training.Trainer, training.TrainState]:
    """A trainer of that network, and its first state."""
    net, variables = model()
    ours = training.trainer(training.classification_loss(net), optimizers.gradient_descent(0.1))
    return ours, ours.init(variables)


def images(size: int = 4) -> dict[str, np.ndarray]:
    """Examples of two classes."""
    return {"image": np.zeros((size, 2, 2, 1), np.uint8), "label": np.arange(size) % 2}


def bowl(params: Any) -> Any:
    """Half the squared length."""
    return optax.tree.norm(params, squared=True) / 2


def own_calls() -> dict[Callable[..., Any], Mapping[str, Any]]:
    """The calls of the functions that the other tables leave out."""
    net, variables = model()
    ours, state = trained()
    layer = normalization.BatchNorm()
    normed = layer.init(KEY, jnp.ones((4, 3)), train=False)

    def apply_normed(variables: Any, batch: Any) -> Any:
        return layer.apply(variables, batch, train=True, mutable=["batch_stats"])

    stack = {"params": jnp.ones(3)}
    both = {"key": KEY, "batch_size": 2, "epochs": 1}
    sharding = training.data_sharding()
    devices = jax.devices()[:1]
    rows = {"examples": images(), "batch_size": 2}
    order = data.epoch_order(KEY, 4, 2)
    ones = jnp.ones((2, 2))
    scan = {
        "make_trainer": lambda rate: training.trainer(
            training.classification_loss(net), optimizers.gradient_descent(rate)
        ),
        "variables": variables,
        "examples": images(),
        "key": KEY,
        "updates": 10,
        "batch_size": 2,
    }
    return {
        averaging.cycle_ends: {"first_steps": 2, "multiplier": 1},
        averaging.monte_carlo_predictions: {
            "key": KEY,
            "apply": lambda key, variables, x: x * variables["params"] * jax.random.normal(key),
            "variables": {"params": jnp.ones((1, 3))},
            "x": jnp.ones((2, 3)),
            "samples": 2,
        },
        averaging.ensemble_predictions: {
            "logits": jnp.ones((2, 3, 2)),
            "average": "logits",
            "weights": (1.0, 2.0),
        },
        averaging.measure_batch_norm: {
            "apply": lambda variables, batch: layer.apply(variables, batch, train=False),
            "variables": normed,
            "examples": jnp.ones((4, 3)),
            "batch_size": 2,
        },
        averaging.recalibrate_batch_norm: {
            "apply": lambda variables, batch: apply_normed(variables, batch)[1],
            "variables": normed,
            "examples": jnp.ones((4, 3)),
            "batch_size": 2,
            "unbiased": False,
        },
        data.check_examples: {"examples": images(), "classes": 2},
        data.epoch_order: {
            "key": KEY,
            "size": 4,
            "batch_size": 2,
            "order": "cyclic",
            "remainder": "drop",
        },
        data.count_examples: {"examples": images(), "name": "examples"},
        data.take_batch: {
            "examples": images(),
            "indices": np.array([0, 1]),
            "weights": np.ones(2, np.float32),
        },
        data.export: {"name": "tiny", "folder": "out", "data_dir": "in"},
        data.available: {"name": "digits", "data_dir": "in"},
        data.load: {
            "name": "digits",
            "data_dir": "in",
            "validation": 0.1,
            "test": 0.1,
            "limit": 40,
            "seed": 0,
            "cache": False,
        },
        data.one_hot: {"labels": np.array([0, 1]), "classes": 2},
        data.stream: {"examples": images(), **both, "first_step": 0, "order": "cyclic"}
        | {"process_index": 0, "process_count": 1, "threads": 1, "ahead": 1},
        data.resize: {
            "images": np.zeros((1, 2, 2, 1), np.float32),
            "size": (1, 1),
            "method": "linear",
            "antialias": True,
        },
        data.standardize: {"examples": ones, "axis": 0, "ddof": 0},
        data.zero_center: {"examples": ones, "axis": 0},
        initializers.copy_pretrained: {"params": stack, "pretrained": stack, "mask": True},
        initializers.fan_out: {"gain": 1.0, "distribution": "normal", "groups": 1},
        initializers.fans: {"shape": (2, 3), "groups": 1},
        initializers.gaussian: {"std": 0.1},
        initializers.he: {
            "mode": "fan_in",
            "distribution": "normal",
            "negative_slope": 0.0,
            "groups": 1,
        },
        initializers.lecun: {"gain": 1.0, "distribution": "normal", "groups": 1},
        initializers.xavier: {"gain": 1.0, "distribution": "normal", "groups": 1},
        models.batch_norm_block: {"hidden": hidden(), "axis_name": None, "use_bias": True},
        models.batch_norm_mlp: {"classes": 2, "dtype": None, "block": models.dense_block},
        models.deep_mlp: {"depth": 1, "width": 2, "activation": nn.relu, "classes": 2},
        models.dense_block: {"hidden": hidden()},
        models.linear_model: {"classes": 2, "dtype": None},
        models.pytorch_mlp: {"dropout_rate": 0.5, "classes": 2, "dtype": None},
        models.tensorflow_mlp: {"dropout_rate": 0.5, "classes": 2, "dtype": None},
        models.three_layer_net: {"width": 2, "dropout_rate": 0.5, "classes": 2, "dtype": None},
        optimizers.effective_learning_rate: {
            "learning_rate": 0.1,
            "second_moment": stack,
            "eps": 1e-7,
            "eps_inside": False,
        },
        optimizers.keep_present: {
            "params": {"a": {"kernel": ones, "bias": jnp.ones(2)}, "b": {"kernel": ones}},
            "units": {("a", "b"): jnp.array([True, False])},
        },
        optimizers.layer_depth: {"params": {"layer": stack}},
        optimizers.base_point: {"params": stack, "velocity": stack, "decay": 0.9},
        optimizers.lookahead_point: {"params": stack, "velocity": stack, "decay": 0.9},
        optimizers.weights_only: {"params": stack, "exclude": ()},
        optimizers.mask_by_path: {"mask": True, "params": stack},
        presets.torch.batch_norm: {"eps": 1e-5, "momentum": 0.1, "affine": True, "axis": -1}
        | {"bias": True},
        presets.keras.batch_normalization: {
            "axis": -1,
            "momentum": 0.9,
            "epsilon": 1e-3,
            "center": True,
            "scale": True,
        },
        probes.dead_units: {
            "model": net,
            "variables": variables,
            "examples": jnp.ones((4, 2, 2, 1)),
            "batch_size": 2,
            "at": "output",
            "layers": nn.Dense,
            "train": False,
        },
        probes.layer_values: {
            "model": net,
            "variables": variables,
            "args": (jnp.ones((4, 2, 2, 1)),),
            "at": "output",
            "layers": nn.Dense,
            "kwargs": {"train": False},
        },
        probes.layer_gradients: {
            "loss": lambda outputs: jnp.sum(outputs**2),
            "model": net,
            "variables": variables,
            "args": (jnp.ones((4, 2, 2, 1)),),
            "at": "output",
            "layers": nn.Dense,
            "kwargs": {"train": False},
        },
        probes.filter_normalized: {"key": KEY, "params": stack},
        probes.hessian_eigenvalues: {"key": KEY, "loss": bowl, "params": stack, "steps": 1},
        probes.hessian_trace: {"key": KEY, "loss": bowl, "params": stack, "draws": 2},
        probes.loss_slice: {
            "loss": bowl,
            "params": stack,
            "first": stack,
            "second": stack,
            "steps": jnp.arange(2.0),
        },
        probes.statistics: {
            "values": jnp.ones(4),
            "quantiles": (0.5,),
            "saturation": 0.9,
            "centre": 0.0,
            "edges": (0.0, 1.0),
        },
        schedules.value_at: {"hyper_parameter": 0.1, "count": 1},
        surfaces.banana: {},
        surfaces.beale: {},
        surfaces.inflection: {},
        surfaces.local_minimum: {},
        surfaces.double_well: {"tilt": 0.5},
        surfaces.two_valleys: {"tilt": 0.5, "floor": 0.1},
        surfaces.saddle: {"angle": 0.0, "offset": 0.01},
        surfaces.quadratic: {"curvatures": (1.0, 2.0), "angle": 0.0},
        surfaces.descend: {
            "tx": optimizers.gradient_descent(0.1),
            "surface": bowl,
            "start": jnp.ones(2),
            "tolerance": 1e-3,
            "max_steps": 2,
        },
        surfaces.trajectory: {
            "tx": optimizers.gradient_descent(0.1),
            "surface": bowl,
            "start": jnp.ones(2),
            "steps": 2,
        },
        surfaces.random_goe: {"key": KEY, "dimension": 2},
        regularizers.l1: {"params": jnp.ones(3), "strength": 0.1, "mask": None},
        regularizers.l2: {"params": jnp.ones(3), "strength": 0.1, "half": True, "mask": None},
        regularizers.elastic_net: {
            "params": jnp.ones(3),
            "strength": 0.1,
            "ratio": 0.5,
            "mask": None,
        },
        regularizers.present_units: {"masks": ones == 1, "weight": jnp.ones(2)},
        regularizers.scale_weights: {
            "variables": {"params": {"a": {"kernel": jnp.ones((2, 2))}}},
            "rates": {"a": 0.5},
        },
        regularizers.strength_for_mean: {"strength": 0.1, "examples": 10},
        regularizers.strength_for_sum: {"strength": 0.1, "examples": 10},
        surfaces.with_gradient_noise: {
            "surface": bowl,
            "covariance": 1.0,
            "batch_size": 1,
        },
        surfaces.grid: {
            "surface": surfaces.banana(),
            "size": 2,
            "view": ((-1.0, 1.0), (-1.0, 1.0)),
        },
        surfaces.least_squares: {
            "inputs": ones,
            "targets": jnp.ones(2),
            "weights": jnp.ones(2),
            "reduction": "mean",
            "half": True,
        },
        surfaces.logistic_regression: {
            "inputs": ones,
            "labels": jnp.ones(2),
            "weights": jnp.ones(2),
            "reduction": "mean",
        },
        surfaces.random_sparse_features: {
            "key": KEY,
            "examples": 2,
            "features": 2,
            "exponent": 1.0,
            "highest": 0.5,
            "noise": 0.0,
        },
        training.mean_over_steps: {"metrics": {"loss": jnp.ones(2), "weight": jnp.ones(2)}},
        training.train_epoch: {
            "trainer": ours,
            "state": state,
            "examples": images(),
            "order": order,
            "key": KEY,
            "unroll": 1,
            "sharding": None,
        },
        training.evaluate: {"trainer": ours, "variables": variables, **rows, "sharding": None},
        training.predict: {"trainer": ours, "variables": variables, **rows, "sharding": None},
        training.train_population: {
            "run": lambda key, rate: rate * jax.random.normal(key),
            "keys": jax.random.split(KEY, 2),
            "hyper_parameters": jnp.ones(2),
            "states": None,
            "shared": (),
            "mapping": "vmap",
            "chunk": 1,
            "devices": devices,
        },
        training.run: {
            "trainer": ours,
            "start": state,
            "train": images(),
            "validation": images(),
            **both,
            "plateau": None,
            "stopping": control.early_stopping(3),
            "monitor": "loss",
            "after_stop": "nan",
        },
        training.fit: {
            "trainer": ours,
            "state": state,
            "train": images(),
            "validation": images(),
            **both,
            "plateau": None,
            "stopping": control.early_stopping(3),
            "monitor": "loss",
            "loop": "host",
            "folder": "run",
            "save_every": 1,
            "configuration": None,
            "tensorboard": False,
            "classes": 2,
            "resume": True,
            "progress": False,
            "on_epoch": None,
            "sharding": None,
        },
        training.choose_loop: {"program": net},
        training.split_nnx: {"model": nnx.Linear(2, 2, rngs=nnx.Rngs(0))},
        training.variables: {"state": state},
        training.trainer: {
            "loss": training.classification_loss(net),
            "tx": optimizers.gradient_descent(0.1),
            "averager": averaging.polyak_average(),
            "evaluate_average": True,
            "penalty": bowl,
            "accumulate": 1,
            "augment": None,
            "rng_streams": ("dropout",),
            "diagnostics": True,
            "axis_name": None,
            "trainable": True,
        },
        training.restore: {
            "folder": "saved",
            "like": stack,
            "configuration": None,
            "which": "latest",
            "part": "",
        },
        training.save: {
            "folder": "saved",
            "tree": stack,
            "step": 1,
            "metric": 0.5,
            "mode": "min",
            "configuration": None,
            "keep": 2,
        },
        training.jit_step: {"trainer": ours},
        training.pmap_step: {"trainer": pmapped(), "devices": devices},
        training.shard_step: {"trainer": ours, "sharding": sharding},
        training.data_sharding: {"devices": devices},
        training.place_batch: {"batch": images(), "sharding": sharding},
        training.replicated: {"sharding": sharding},
        training.classification_loss: {
            "model": net,
            "preprocess": None,
            "label_smoothing": 0.1,
            "class_weights": (1.0, 1.0),
            "top_k": (1,),
            "extra_args": lambda params, masks, weight: {},
        },
        tuning.check_initial_loss: {
            "trainer": ours,
            "state": state,
            "batch": images(),
            "key": KEY,
            "classes": 2,
            "tolerance": 0.5,
        },
        tuning.check_overfit: {
            "trainer": ours,
            "state": state,
            "examples": images(),
            "key": KEY,
            "updates": 10,
        },
        tuning.uniform: {"low": 0.0, "high": 1.0},
        tuning.log_uniform: {"low": 0.1, "high": 1.0},
        tuning.integers: {"low": 1, "high": 3, "logarithmic": False},
        tuning.choice: {"values": (1, 2), "static": True},
        tuning.sample: {"key": KEY, "space": tuning.uniform(0, 1), "trials": 2},
        tuning.sobol: {"key": KEY, "space": tuning.uniform(0, 1), "trials": 2},
        tuning.grid: {"space": tuning.uniform(0, 1), "points": 2},
        tuning.narrow: {
            "space": tuning.uniform(0, 1),
            "table": {"value": [0.1, 0.2], "loss": [1.0, 2.0]},
            "keep": 2,
            "by": "loss",
            "largest": False,
            "margin": 0.1,
        },
        tuning.search: {
            "key": KEY,
            "run": lambda key, value: value,
            "space": tuning.uniform(0, 1),
            "trials": 2,
            "shared": (),
            "by": "loss",
            "largest": False,
            "rungs": None,
            "reduction": 2,
            "chunk": 2,
            "folder": None,
            "resume": False,
            "progress": False,
            "mapping": "map",
            "devices": devices,
        },
        tuning.best: {"found": searched(), "by": "loss", "largest": False, "edge": 0.05},
        tuning.export_study: {
            "found": searched(),
            "space": tuning.uniform(0, 2),
            "file": NewFile(),
            "name": "a",
            "by": "loss",
            "largest": False,
        },
        tuning.retrain: {
            "keys": jax.random.split(KEY, 2),
            "run": lambda key, value, *on: (value, value) if on else value,
            "hyper_parameters": np.float32(1.0),
            "shared": (),
            "epochs": None,
            "by": "loss",
            "level": 0.9,
        },
        tuning.compare: {"first": [1.0, 2.0], "second": [1.5, 2.0], "level": 0.9},
        tuning.diagnose: {"history": {"train.loss": [2.0, 1.0]}, "classes": 10},
        tuning.find_learning_rate: {**scan, "rates": (0.1, 0.2)},
        tuning.sweep_learning_rate: {**scan, "low": 0.1, "high": 1.0, "smoothing": 0.5},
    }


class NewFile(os.PathLike):
    """The path of a file that does not exist, another one each time."""

    def __fspath__(self) -> str:
        return tempfile.mktemp(dir=".")


def searched() -> tuning.Search:
    """A search of two trials."""
    values = np.array([0.1, 0.2], np.float32)
    return tuning.Search({"trial": np.arange(2), "value": values, "loss": values}, {}, values)


def hidden() -> models.HiddenLayer:
    """What a block is given."""
    return models.HiddenLayer(2, nn.relu, 0.5, nn.initializers.lecun_normal(), None)


def pmapped() -> training.Trainer:
    """A trainer for a mapped axis."""
    return training.trainer(
        training.classification_loss(model()[0]),
        optimizers.gradient_descent(0.1),
        axis_name="devices",
    )


@functools.cache
def calls() -> dict[str, Call]:
    """Every public function and layer of the library by its name, with arguments that it takes."""
    tables = (TRANSFORMS, SCHEDULES, CONTROLS, AVERAGERS, LAYERS)
    presets_tables = (preset_cases.TRANSFORMS, preset_cases.SCHEDULES, preset_cases.CONTROLS)
    rows = [row for table in (*tables, *presets_tables) for row in table.values()]
    given = {row.make: {**row.static, **first_values(row)} for row in rows}
    for row in KERNELS.values():
        arrays = {name: example(shape) for name, shape in row.arrays.items()}
        key = {"key": KEY} if row.key else {}
        given[row.function] = {**key, **arrays, **row.static, **first_values(row)}
    given |= own_calls()
    return {f"{room(f)}.{f.__name__}": (f, call) for f, call in given.items()}


def room(function: Callable[..., Any]) -> str:
    """Such as `presets.torch`."""
    parts = [part for part in function.__module__.split(".")[1:] if part[0] != "_"]
    return ".".join(parts)
