"""The momentum that one script still reads here; all else is in `experiments.lab.scenes`."""

DECAY = 0.9
