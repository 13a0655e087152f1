"""The classic neural-network training tricks as pure functions of JAX arrays."""

__version__ = "0.1.0"
