"""Initial weights: what ten layers do to a signal and to its gradient (004:298-416, 547-549)."""
