"""Marries core and adapters: the two processes, the loop of a module, the guardian."""
