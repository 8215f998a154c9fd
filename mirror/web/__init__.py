"""The console and its API: a process of its own, beside the control plane, never in its way."""
