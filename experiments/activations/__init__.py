"""Activation functions: their values and slopes, and what a network is without them (002:15-51)."""
