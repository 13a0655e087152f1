"""What layers have in common that change their input at random, in training."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_flag, check_instance
from jaxtricks._types import ScalarLike


class RandomLayer(nn.Module):
    """A layer with the fields `rate` and `rng_collection`; a subclass says what it draws."""

    def check_rate(self, rate: ScalarLike) -> None:
        """Raises `ValueError` if a rate is out of range."""
        raise NotImplementedError

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` if the layer cannot be called with such an input."""

    def drawn(
        self, key: Key[Array, ""], x: Float[Array, "*shape"], rate: ScalarLike
    ) -> Float[Array, "*shape"]:
        """The output in training."""
        raise NotImplementedError

    def undrawn(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The output in training at a rate that is known to be 0."""
        return x

    def evaluated(self, x: Float[Array, "*shape"], rate: ScalarLike) -> Float[Array, "*shape"]:
        """The output in evaluation."""
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
            train: whether to draw.
            rate: used for this call instead of the layer's own; it may be traced, so a schedule or
                a search can change it.
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
    """Checks the name of a random stream, which is not that of the parameters."""
    check_instance("rng_collection", name, str)
    if name == "params":
        raise ValueError("rng_collection must be a stream of its own, got 'params'.")


def stream_key(layer: nn.Module, stream: str, *, when: str = "in training") -> Key[Array, ""]:
    """A new key of one of a layer's streams; `when` says for the message when it needs one.

    Raises:
        ValueError: `rngs` has none.
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
