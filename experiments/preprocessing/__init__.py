"""Centring and scaling the inputs (002:53-58, 004:438-443)."""
