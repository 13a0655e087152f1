"""The base class of layers that change their input at random in training."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_flag, check_instance
from jaxtricks._types import ScalarLike


class RandomLayer(nn.Module):
    """Base of the random layers; a subclass adds `rate`, `rng_collection` and what to draw."""

    def check_rate(self, rate: ScalarLike) -> None:
        """Raises `ValueError` if `rate` is out of range."""
        raise NotImplementedError

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` if the layer cannot be applied to an input of this shape."""

    def drawn(
        self, key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
    ) -> Float[Array, "*shape"]:
        """Returns the output in training."""
        raise NotImplementedError

    def undrawn(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Returns the output in training if the rate is 0 and not traced."""
        return x

    def evaluated(self, x: Float[Array, "*shape"], rate: ScalarLike) -> Float[Array, "*shape"]:
        """Returns the output in evaluation."""
        del rate
        return x

    def __post_init__(self) -> None:
        self.check_rate(self.rate)
        check_stream(self.rng_collection)
        super().__post_init__()

    def __call__(
        self, x: Float[Array, "*shape"], *, train: bool, rate: ScalarLike | None = None
    ) -> Float[Array, "*shape"]:
        """Applies the layer.

        Args:
            x: activations of any shape.
            train: whether to change the input at random.
            rate: replaces the layer's own `rate` in this call. It may be traced, so that a schedule
                or a search can change it.
        """
        check_flag("train", train)
        check_floating("x", x)
        self.check_shape(jnp.shape(x))
        rate = self.rate if rate is None else rate
        self.check_rate(rate)
        if not isinstance(rate, jax.core.Tracer) and rate == 0:
            return self.undrawn(x) if train else x
        if not train:
            return self.evaluated(x, rate)
        return self.drawn(stream_key(self, self.rng_collection), x, rate)


def check_stream(name: object) -> None:
    """Checks that `name` names a random stream other than that of the parameters."""
    check_instance("rng_collection", name, str)
    if name == "params":
        raise ValueError("rng_collection must be a stream other than 'params', got 'params'.")


def stream_key(layer: nn.Module, stream: str, *, when: str = "in training") -> Key[Array, ""]:
    """Returns a new key of the random stream `stream` of a layer.

    Args:
        layer: the layer, which must be bound to its variables.
        stream: the name of the stream.
        when: when the layer needs the key, for the message.

    Raises:
        ValueError: `rngs` has no key for the stream.
    """
    if not layer.has_rng(stream):
        name = "/".join((type(layer).__name__, *layer.path))
        raise ValueError(
            f'{name} needs a key of the stream {stream!r} {when}: pass rngs={{"{stream}": key}} to '
            f'apply, rng_streams to training.trainer, and split_rngs={{"{stream}": True}} to '
            "nn.scan or nn.vmap around the layer."
        )
    key = layer.make_rng(stream)
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    return key
