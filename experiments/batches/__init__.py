"""How many examples an update should see: memory, speed, noise, and what a loop reports."""
