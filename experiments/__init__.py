"""The lectures' figures and claims, regenerated and judged: `python -m experiments`."""
