"""Checkers: they turn what they see into the state of a resource, and act on nothing."""
