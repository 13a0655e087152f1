"""One step on one device, on several, and on several machines."""
