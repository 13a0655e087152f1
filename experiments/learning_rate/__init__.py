"""Learning rates and schedules (notes 001:28-60, 002:515-610, 004:184-192)."""
