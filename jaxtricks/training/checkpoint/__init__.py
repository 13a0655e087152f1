"""Checkpoints that prove themselves intact before they are used."""
