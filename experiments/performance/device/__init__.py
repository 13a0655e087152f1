"""Every measurement that asks for an accelerator, in one command of a few minutes."""
