"""Losses per example, for `trainer`."""
