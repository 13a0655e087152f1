"""Momentum: what the velocity is, where it helps, and what Nesterov's form changes."""
