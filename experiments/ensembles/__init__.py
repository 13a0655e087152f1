"""Several models as one: independent ones, those of one run, their averaged weights."""
