"""Loss functions for `trainer`, with one loss per example."""
