"""Fully connected networks, and the blocks of which their hidden layers are made."""
