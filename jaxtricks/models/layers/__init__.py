"""Layers and functions of which networks are made."""
