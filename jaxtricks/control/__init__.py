"""State machines on a metric: when to lower the learning rate, and when to stop."""

from jaxtricks.control._machine import Machine as Machine
