"""Writing checkpoints, and reading them after every byte has been verified."""
