"""Stopping early: what it gains, when to stop, and which examples may choose."""
