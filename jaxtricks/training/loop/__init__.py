"""The loop of `fit`: epochs, validation, control rules, files and progress."""
