"""The loop around a run: validation, control, files, and an end that loses nothing."""
