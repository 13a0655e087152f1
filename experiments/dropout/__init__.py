"""Dropout: what it computes, what it does to a network, and where it helps."""
