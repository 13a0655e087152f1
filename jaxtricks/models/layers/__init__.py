"""Layers and functions of which networks consist."""
