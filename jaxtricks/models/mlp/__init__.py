"""Fully connected networks, and the blocks that make their hidden layers."""
