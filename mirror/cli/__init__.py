"""The command line: words of SafeKit in, calls on the control plane out."""
