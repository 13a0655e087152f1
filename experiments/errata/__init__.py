"""Misprints and clashing conventions: the literal form against the right one, size measured."""
