"""Batch normalisation and its relatives (002:53-122, 004:418-548)."""
