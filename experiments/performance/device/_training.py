"""An epoch of a small network, sixteen seeds over one, a step of a residual network."""

import importlib
import importlib.util
import os
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.performance import conv_steps, epochs
from experiments.performance.device._contest import Contest
from jaxtricks import data

DTYPES = {"float32": None, "bfloat16": jnp.bfloat16}
Precision = Literal["float32", "bfloat16"]


def read_examples(count: int) -> tuple[dict[str, jax.Array], str]:
    """At most `count` images on the device, as uint8: MNIST where it is prepared, else digits."""
    name = "mnist" if data.available("mnist") else "digits"
    examples = data.load(name, limit=count, validation=0).train
    return jax.device_put(examples, jax.devices()[0]), name


def about(name: str, examples: dict[str, jax.Array]) -> dict[str, Any]:
    return {
        "data set": name,
        "examples": len(examples["label"]),
        "image": list(examples["image"].shape[1:]),
        "batch": epochs.BATCH,
    }


def epoch(net: nn.Module, count: int) -> Contest:
    """All updates as one scan, state donated, against the same step called from Python."""
    examples, name = read_examples(count)
    return Contest(
        makers={
            "one scan": lambda: epochs.our_epoch(examples, net),
            "steps from Python": lambda: epochs.host_loop(examples, net),
        },
        ratios={"steps from Python / one scan": ("steps from Python", "one scan", 1.0)},
        per_second={"images": ("one scan", len(examples["label"]))},
        about=about(name, examples),
    )


def seeds(net: nn.Module, count: int, number: int) -> Contest:
    """An epoch of many seeds under `vmap` on one device against one of a single seed."""
    examples, name = read_examples(count)
    how = {"mapping": "vmap", "devices": jax.devices()[:1]}
    return Contest(
        makers={
            "one seed": lambda: epochs.population(examples, 1, net, **how),
            "all seeds": lambda: epochs.population(examples, number, net, **how),
        },
        ratios={"all seeds / one seed": ("all seeds", "one seed", 1.0)},
        per_second={"images": ("all seeds", number * len(examples["label"]))},
        about={**about(name, examples), "seeds": number},
    )


def residual_step(precision: Precision, depth: int, width: int, batch: int, calls: int) -> Contest:
    """A step of the network for CIFAR-10, by ours and by PyTorch's, with channels last.

    Products of float32 have the precision that each framework has by default. In bfloat16 ours has
    `dtype=bfloat16`, PyTorch autocast; parameters stay float32 in both.
    """
    images, size = conv_steps.batch_of(batch), (depth, width)
    makers = {
        "ours": partial(
            conv_steps.our_step, None, images, *size, dtype=DTYPES[precision], calls=calls
        )
    }
    why_not = torch_is_missing()
    if not why_not:
        makers["torch"] = partial(
            conv_steps.torch_step,
            images,
            *size,
            os.cpu_count() or 1,
            autocast=precision == "bfloat16",
            calls=calls,
        )
    return Contest(
        makers=makers,
        ratios={"torch / ours": ("torch", "ours", 1.0)},
        per_second={
            "images, ours": ("ours", batch * calls),
            "images, torch": ("torch", batch * calls),
        },
        about={"depth": depth, "width": width, "batch": batch, "calls": calls, "dtype": precision},
        optional=("torch",),
        absent={"torch": why_not} if why_not else {},
    )


def torch_is_missing() -> str | None:
    """Why PyTorch cannot be compared, or None."""
    if importlib.util.find_spec("torch") is None:
        return "not installed"
    torch: Any = importlib.import_module("torch")
    if torch.cuda.is_available() == (jax.default_backend() == "cpu"):
        return "runs on another kind of device than JAX"
    return None
