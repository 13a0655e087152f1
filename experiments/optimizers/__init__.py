"""Which optimizer to take: Adam, momentum SGD with a decaying rate, or one after the other."""
