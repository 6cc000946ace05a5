"""The commands, and everything that has an effect: the only package that knows the others."""
