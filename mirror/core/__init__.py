"""Decides, and touches nothing: no socket, file, clock, thread, randomness, logger."""
