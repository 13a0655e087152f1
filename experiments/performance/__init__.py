"""Benchmarks: what the update rules, the scanned trajectories and the import cost."""
