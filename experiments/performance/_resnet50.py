"""The shapes of ResNet-50's parameters: a tree of a real model's size and raggedness."""

import math

import jax
from jaxtyping import Array, PyTree

Shapes = dict[str, tuple[int, ...]]

BLOCKS = (3, 4, 6, 3)
CLASSES = 1000
EXPANSION = 4
FLOAT_BYTES = 4


def resnet50_shapes() -> Shapes:
    """161 leaves, 25,557,032 floats: 53 convolutions without bias, 53 norms, one dense layer."""
    shapes: Shapes = {}

    def convolve(name: str, size: int, inputs: int, outputs: int) -> None:
        shapes[f"{name}/kernel"] = (size, size, inputs, outputs)
        shapes[f"{name}/norm/scale"] = shapes[f"{name}/norm/bias"] = (outputs,)

    convolve("stem", 7, 3, 64)
    channels = 64
    for stage, blocks in enumerate(BLOCKS):
        width = 64 * 2**stage
        for block in range(blocks):
            name = f"stage{stage}/block{block}"
            convolve(f"{name}/reduce", 1, channels, width)
            convolve(f"{name}/mix", 3, width, width)
            convolve(f"{name}/expand", 1, width, EXPANSION * width)
            if block == 0:
                convolve(f"{name}/project", 1, channels, EXPANSION * width)
            channels = EXPANSION * width
    shapes["head/kernel"], shapes["head/bias"] = (channels, CLASSES), (CLASSES,)
    return shapes


def tree_bytes(shapes: Shapes) -> int:
    """Size in float32."""
    return FLOAT_BYTES * sum(math.prod(shape) for shape in shapes.values())


def leaves_from(shapes: Shapes, smallest: int) -> Shapes:
    """The leaves of at least `smallest` bytes."""
    return {name: s for name, s in shapes.items() if FLOAT_BYTES * math.prod(s) >= smallest}


def random_tree(shapes: Shapes, seed: int) -> PyTree[Array]:
    """Normal numbers of size 0.1 in float32, every leaf a buffer of its own."""
    keys = jax.random.split(jax.random.key(seed), len(shapes))
    return {
        name: 0.1 * jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
